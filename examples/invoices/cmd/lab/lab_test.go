package main

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ringwall/ringwall/examples/invoices/wall"
)

func start(t *testing.T) *running {
	t.Helper()
	r, err := open(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(r.folder); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder %s is left (%v)", r.folder, err)
		}
	})
	return r
}

// What is unsafe on purpose is for this machine alone.
func TestTheLabListensOnLoopbackAlone(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "localhost:0", "127.0.0.1.nip.io:0"} {
		if r, err := open(t.Context(), addr); !errors.Is(err, errNotLoopback) {
			t.Errorf("open(%q) = %v, want errNotLoopback", addr, err)
			if err == nil {
				_ = r.close()
			}
		}
	}
}

func do(t *testing.T, method, address string, form url.Values, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Header.Get("Content-Security-Policy") == "" || answer.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("%s %s has not all headers: %v", method, address, answer.Header)
	}
	return answer.StatusCode, string(body)
}

// Mallory's site is open in the same browser, and a name of hers may lead here: neither presses a button.
func TestNobodyElseSwitches(t *testing.T) {
	r := start(t)
	off := url.Values{"do": {"all-off"}}
	for name, header := range map[string][]string{
		"another site":           {"Sec-Fetch-Site", "cross-site"},
		"another port":           {"Sec-Fetch-Site", "same-site"},
		"an older browser":       {"Origin", r.world.Evil},
		"a name that leads here": {"Host", "rebound.example"},
	} {
		if status, _ := do(t, "POST", r.origin+"/switch", off, header...); status != http.StatusForbidden && status != http.StatusMisdirectedRequest {
			t.Errorf("%s: POST /switch = %d, want a refusal", name, status)
		}
	}
	if n := len(r.world.Off()); n != 0 {
		t.Errorf("%d layers are off, and nobody may have done that", n)
	}
	if status, body := do(t, "POST", r.origin+"/switch", url.Values{"do": {"off"}, "layer": {"host"}, "back": {r.world.Evil}}); status != http.StatusOK || !strings.Contains(body, "One layer of") {
		t.Errorf("switch a layer off = %d, want the first page, which says so", status)
	}
	for path, want := range map[string]int{"/attacks/moat": 404, "/layers/moat": 404, "/nowhere": 404} {
		if status, _ := do(t, "GET", r.origin+path, nil); status != want {
			t.Errorf("GET %s = %d, want %d", path, status, want)
		}
	}
	for _, form := range []url.Values{{"do": {"off"}, "layer": {"moat"}}, {"do": {"dig"}}} {
		if status, _ := do(t, "POST", r.origin+"/switch", form); status != http.StatusBadRequest {
			t.Errorf("POST /switch %v = %d, want 400", form, status)
		}
	}
}

// With its layers off the application does what any page says. Pages of the web are open in the same browser, so none of them
// reaches it, with or without a form, nor by a name that leads to this machine; Mallory's own page does.
func TestNobodyElseReachesTheWeakApplication(t *testing.T) {
	r := start(t)
	if status, _ := do(t, "POST", r.origin+"/switch", url.Values{"do": {"all-off"}}); status != http.StatusOK {
		t.Fatalf("all off = %d", status)
	}
	for name, tt := range map[string]struct {
		method string
		header []string
		passes bool
	}{
		"a form of another site":              {"POST", []string{"Origin", "https://web.example", "Sec-Fetch-Site", "cross-site"}, false},
		"a form that hides where it is from":  {"POST", []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, false},
		"a form of an older browser":          {"POST", []string{"Origin", "https://web.example"}, false},
		"a link of another site":              {"GET", []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://web.example/"}, false},
		"a link that hides where it is":       {"GET", []string{"Sec-Fetch-Site", "cross-site"}, false},
		"a name that leads here":              {"GET", []string{"Host", "rebound.example:8091"}, false},
		"a page at a name that leads here":    {"POST", []string{"Host", "rebound.example:8091", "Origin", "http://rebound.example:8091", "Sec-Fetch-Site", "same-origin"}, false},
		"a form of Mallory's":                 {"POST", []string{"Origin", r.world.Evil, "Sec-Fetch-Site", "cross-site"}, true},
		"a link of Mallory's":                 {"GET", []string{"Sec-Fetch-Site", "cross-site", "Referer", r.world.Evil + "/"}, true},
		"a request for a mail with her host":  {"GET", []string{"Host", strings.TrimPrefix(r.world.Evil, "http://")}, true},
		"somebody who types the address":      {"GET", []string{"Sec-Fetch-Site", "none"}, true},
		"a page of the application":           {"POST", []string{"Origin", r.world.App, "Sec-Fetch-Site", "same-origin"}, true},
		"a link of the lab":                   {"GET", []string{"Sec-Fetch-Site", "same-site"}, true},
		"a program that says nothing of this": {"POST", nil, true},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, r.world.App+"/go?to=/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(tt.header); i += 2 {
			if request.Header.Set(tt.header[i], tt.header[i+1]); tt.header[i] == "Host" {
				request.Host = tt.header[i+1]
			}
		}
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if passed := !strings.HasPrefix(string(body), "The lab "); passed != tt.passes {
			t.Errorf("%s: it passed is %v (%d %.80s)", name, passed, answer.StatusCode, body)
		}
	}
}

// Each button does what the wall's test found: with all layers on nothing, with all off harm, and the page says who stopped
// it and shows the code, the twin and what was sent. What needs somebody's own browser says what to do there.
func TestEveryButtonShowsWhatHappened(t *testing.T) {
	r := start(t)
	press := func(class wall.Class) string {
		t.Helper()
		status, page := do(t, "POST", r.origin+"/attacks/"+class.ID, nil)
		if status != http.StatusOK {
			t.Fatalf("%s = %d\n%s", class.ID, status, page)
		}
		return page
	}
	want := func(class wall.Class, mode, page string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Errorf("%s, %s: the page does not say %q", class.ID, mode, text)
			}
		}
	}
	for _, class := range r.classes {
		page := press(class)
		want(class, "all on", page, `href="/layers/`+class.Stops[0]+`">`+class.Stops[0]+"</a> first", "The code that stops it", "What was sent", "HTTP/1.1")
		if strings.Contains(page, ">Harm</h2>") {
			t.Errorf("%s: harm with all layers on", class.ID)
		}
	}
	if status, _ := do(t, "POST", r.origin+"/switch", url.Values{"do": {"all-off"}}); status != http.StatusOK {
		t.Fatalf("all off = %d", status)
	}
	for _, class := range r.classes {
		page := press(class)
		if strings.Contains(page, ">Your turn</h2>") {
			want(class, "all off", page, "in a private window", "If there is harm")
			continue
		}
		want(class, "all off", page, ">Harm</h2>", "None of the layers that stop it was on")
	}
}

// What the lab leaves to somebody's own browser works there, on this machine and without TLS, as the lab says that it does.
func TestYourTurnWorks(t *testing.T) {
	r := start(t)
	for _, tt := range []struct{ mode, verdict string }{{"all-off", "Harm"}, {"all-on", "No harm"}} {
		if status, _ := do(t, "POST", r.origin+"/switch", url.Values{"do": {tt.mode}}); status != http.StatusOK {
			t.Fatalf("%s = %d", tt.mode, status)
		}
		if status, _ := do(t, "POST", r.origin+"/attacks/csrf", nil); status != http.StatusOK {
			t.Fatalf("attack = %d", status)
		}
		r.mu.Lock()
		hand := r.ended["csrf"].ByHand
		r.mu.Unlock()
		b := openBrowser(t)
		b.visit(r.world.App + "/auth/login")
		eval[any](b, `document.getElementById("email").value = "`+hand.Victim.Email+`", document.getElementById("password").value = "`+hand.Victim.Password+`", 0`)
		b.press("Sign in")
		b.sees(hand.Victim.Email)
		b.visit(r.world.App + "/transfers")
		b.refused.Store(true) // the browser says so where a layer refuses, which is what is tried here
		b.visit(hand.Address)
		b.until(`location.origin === "` + r.world.App + `"`)
		b.visit(r.origin + "/attacks/csrf")
		b.press("Did it do harm?")
		if got := eval[string](b, `document.getElementById("verdict").textContent`); got != tt.verdict {
			t.Errorf("%s: the page says %q, want %q\n%s", tt.mode, got, tt.verdict, b.text())
		}
	}
}

// The pages are for everybody: axe-core finds nothing, and they fit, wide and narrow, light and dark.
func TestThePagesAreWhole(t *testing.T) {
	axe, err := os.ReadFile(os.Getenv("RINGWALL_TEST_AXE"))
	if err != nil {
		t.Fatalf("RINGWALL_TEST_AXE does not name axe.min.js: run the tests with `make test`, which fetches it (%v)", err)
	}
	r, b := start(t), openBrowser(t)
	b.visit(r.origin + "/attacks/idor")
	b.press("Attack now")
	b.sees("No harm", "It met owner-in-query first", "owner-check would still be there", "invoices_store.go, lines")
	b.press("Switch off owner-in-query")
	b.sees("One layer of", "Layers were switched since")
	b.press("Attack now")
	b.sees("No harm", "It met owner-check first", "Nothing that stops it stands behind", "unsafe_store.go, lines")
	b.press("Switch off owner-check")
	b.press("Attack now")
	b.sees("Harm", "Quiet Harbour Clinic", "None of the layers that stop it was on")
	b.visit(r.origin + "/attacks/csrf")
	b.press("Attack now")
	b.sees("Your turn", "/prize")
	b.press("Did it do harm?")
	b.sees("No harm")
	for _, l := range []screen{{"wide-light", 1280, false}, {"wide-dark", 1280, true}, {"narrow-light", 320, false}, {"narrow-dark", 320, true}} {
		b.as(l)
		for name, path := range map[string]string{"home": "/", "harm": "/attacks/idor", "by-hand": "/attacks/csrf", "stored": "/attacks/stored-xss", "layer": "/layers/strict-input", "nothing": "/layers/moat"} {
			if name == "by-hand" || name == "stored" {
				if status, _ := do(t, "POST", r.origin+path, nil); status != http.StatusOK {
					t.Fatalf("POST %s = %d", path, status)
				}
			}
			if name == "nothing" { // the browser says that it is a 404, which is its matter
				continue
			}
			b.visit(r.origin + path)
			for _, fault := range b.faults(string(axe)) {
				t.Errorf("%s, %s: %s", name, l.name, fault)
			}
			b.shoot("lab-" + name + "-" + l.name)
		}
	}
}

// The keyboard reaches every switch, and nothing lies over what has the focus: the button below the switches stays in sight.
func TestTheKeyboardReachesEverySwitch(t *testing.T) {
	r, b := start(t), openBrowser(t)
	for _, l := range []screen{{"wide", 1280, false}, {"narrow", 320, false}} {
		b.as(l)
		b.visit(r.origin + "/")
		reached := 0
		for range 250 {
			b.must(chromedp.Do(b.ctx, chromedp.KeyEvent("\t")))
			at := eval[struct {
				ID, Name, Over string
				Ring           float64
			}](b, `(() => {
				const e = document.activeElement, r = e.getBoundingClientRect(), top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
				const over = e === document.body || top && (e.contains(top) || top.contains(e)) ? "" : top ? top.className || top.tagName : "the edge of the window";
				return {ID: e.id, Name: e.textContent.trim(), Over: over, Ring: parseFloat(getComputedStyle(e).outlineWidth)};
			})()`)
			if at.Over != "" || at.ID != "" && at.Ring < 2 {
				t.Errorf("%s: %s %q has the focus beneath %q, with a ring of %v px", l.name, at.ID, at.Name, at.Over, at.Ring)
			}
			if strings.HasPrefix(at.ID, "on-") {
				reached++
			}
			if at.Name == "Switch as ticked" {
				break
			}
		}
		if reached != len(wall.Layers()) {
			t.Errorf("%s: the keyboard reached %d switches, want %d", l.name, reached, len(wall.Layers()))
		}
	}
}
