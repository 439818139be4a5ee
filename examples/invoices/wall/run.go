package wall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Browser is the browser of one person. Each call waits until the page that comes of it is there and still.
type Browser interface {
	Visit(address string) error
	Fill(selector, text string) error
	Press(selector string) error
	Where(selector string) (x, y float64, err error) // the middle of an element, in the window
	ClickAt(x, y float64) error
	Address() (string, error)
	Dialogs() []string // what scripts have said in dialogs so far
}

// Outcome is how an exploit ended.
type Outcome struct {
	Harm   string // what was done, with the evidence; "" if the class's harm is not true
	Steps  []Step
	ByHand *ByHand // the rest is for a person's own browser: nobody has seen yet whether there is harm
}

// Step is one request of an exploit, or of its victim, as it was sent and answered.
type Step struct {
	Who, Does         string
	Request, Response string
}

// ByHand is what a person does in their own browser to see how an exploit ends.
type ByHand struct {
	Victim  *Person
	Address string                                         // where the victim goes, signed in
	Look    string                                         // what is seen if there is harm
	Check   func(context.Context) (harm string, err error) // looks whether there was; nil: only who sits there can see it
}

// errByHand ends an exploit that needs a browser where there is none.
var errByHand = errors.New("needs a browser")

// Attack runs the exploit of a class against the world as it stands, with new people. Open gives a person a browser of their
// own; without it, an exploit that needs one stops before the victim's part ([Outcome.ByHand]).
func (w *World) Attack(ctx context.Context, class string, open func() (Browser, error)) (Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	exploit, ok := exploits()[class]
	if !ok {
		return Outcome{}, fmt.Errorf("no exploit for the class %q", class)
	}
	w.ahead.Add(int64(2 * time.Hour))
	r := &run{World: w, ctx: ctx, open: open}
	harm, err := exploit(r)
	if errors.Is(err, errByHand) {
		err = nil
	}
	r.outcome.Harm = harm
	return r.outcome, err
}

// run is an exploit under way.
type run struct {
	*World
	ctx     context.Context
	open    func() (Browser, error)
	outcome Outcome
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask is a request of a program. Form makes it a form, json a body of that.
type ask struct {
	method, path string
	host         string // "": the application's
	form         url.Values
	json         any
	multipart    func() (kind string, body []byte)
	header       map[string]string
}

// signIn makes somebody and signs them in, with a program.
func (r *run) signIn(name string, roles ...string) (*Person, error) {
	p, err := r.person(r.ctx, name, roles...)
	if err != nil {
		return nil, err
	}
	got, err := r.send(p, "signs in", ask{method: "POST", path: "/auth/v1/login", json: map[string]string{"email": p.Email, "password": p.Password}})
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("sign in %s = %d: %s", p.Email, got.status, got.body)
	}
	return p, err
}

// send sends a request as somebody's program would: with their cookies and token, and a word about where it comes from.
func (r *run) send(who *Person, does string, a ask) (answer, error) {
	request, err := r.request(who, a)
	if err != nil {
		return answer{}, err
	}
	sent, err := httputil.DumpRequestOut(request, true)
	if err != nil {
		return answer{}, err
	}
	client := http.Client{Transport: r.Client, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	if err != nil {
		return answer{}, err
	}
	head, err := httputil.DumpResponse(response, false)
	if err != nil {
		return answer{}, err
	}
	got := answer{response.StatusCode, response.Header, string(body)}
	r.keep(who, response, got.body)
	r.outcome.Steps = append(r.outcome.Steps, Step{who.Name, does, readable(sent), readable(append(head, body...))})
	return got, nil
}

func (r *run) request(who *Person, a ask) (*http.Request, error) {
	var body []byte
	kind := ""
	switch {
	case a.form != nil:
		body, kind = []byte(a.form.Encode()), "application/x-www-form-urlencoded"
	case a.multipart != nil:
		kind, body = a.multipart()
	case a.json != nil:
		text, err := json.Marshal(a.json)
		if err != nil {
			return nil, err
		}
		body, kind = text, "application/json"
	}
	request, err := http.NewRequestWithContext(r.ctx, a.method, r.App, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(a.path, "?")
	request.URL.Opaque, request.URL.RawQuery = path, query // as it is: the client must not mend a path
	if strings.HasPrefix(path, "//") {
		request.URL.Opaque = request.URL.Scheme + "://" + request.URL.Host + path
	}
	request.Host = a.host
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36")
	if a.method != http.MethodGet {
		request.Header.Set("Sec-Fetch-Site", "same-origin")
		if who.csrf != "" {
			request.Header.Set("X-CSRF-Token", who.csrf)
		}
	}
	var cookies []string
	for name, value := range who.cookies {
		cookies = append(cookies, name+"="+value)
	}
	if len(cookies) > 0 {
		request.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	for name, value := range a.header {
		request.Header.Set(name, value)
	}
	return request, nil
}

// keep takes over cookies and token, as a browser and its script do.
func (r *run) keep(who *Person, response *http.Response, body string) {
	for _, c := range response.Cookies() {
		if c.MaxAge < 0 {
			delete(who.cookies, c.Name)
		} else {
			who.cookies[c.Name] = c.Value
		}
	}
	var seen struct {
		CSRF string `json:"csrf_token"`
	}
	if json.Unmarshal([]byte(body), &seen) == nil && seen.CSRF != "" {
		who.csrf = seen.CSRF
	}
}

// browser is a browser in which somebody has signed in by hand. Without one, hand tells a person what is left to do.
func (r *run) browser(hand ByHand) (Browser, error) {
	if r.open == nil {
		r.outcome.ByHand = &hand
		return nil, errByHand
	}
	b, err := r.open()
	if err != nil {
		return nil, err
	}
	return b, signInByHand(b, r.App, hand.Victim)
}

// lure puts a page on the attacker's sites.
func (r *run) lure(path, body string) {
	r.lures.put(path, body)
	r.outcome.Steps = append(r.outcome.Steps, Step{"Mallory", "puts " + path + " on her site", "", readable([]byte(body))})
}

// later is a check for when the run is over, with a context and steps of its own.
func (r *run) later(check func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ctx = ctx
		return check(ctx)
	}
}

func signInByHand(b Browser, app string, who *Person) error {
	if err := b.Visit(app + "/auth/login"); err != nil {
		return err
	}
	if err := b.Fill("#email", who.Email); err != nil {
		return err
	}
	if err := b.Fill("#password", who.Password); err != nil {
		return err
	}
	return b.Press(`form[action$="/login"] button.act`)
}

const longest = 12000

var secretHeader = regexp.MustCompile(`(?m)^(Cookie|Set-Cookie|X-Csrf-Token): .*$`)

// readable is a message as it can be shown: text, not too long, its credentials shortened.
func readable(raw []byte) string {
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	text = secretHeader.ReplaceAllStringFunc(text, func(line string) string { return longToken.ReplaceAllString(line, "$1…") })
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "\n…"
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "�")
	}
	return text
}

var longToken = regexp.MustCompile(`([A-Za-z0-9_-]{12})[A-Za-z0-9_.-]{12,}`)
