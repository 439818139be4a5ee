package ratelimit_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// item is a member of a list of structured fields (RFC 9651): a string with integers as parameters.
type item struct {
	value  string
	params map[string]int64
}

// parseList reads the part of RFC 9651 that the draft needs, and nothing beside it.
func parseList(lines []string) ([]item, error) {
	var list []item
	rest := strings.Join(lines, ", ")
	for {
		if !strings.HasPrefix(rest, `"`) {
			return nil, fmt.Errorf("no string at %q", rest)
		}
		value, after, ok := strings.Cut(rest[1:], `"`)
		if !ok || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
			return nil, fmt.Errorf("no string at %q", rest)
		}
		it := item{value, map[string]int64{}}
		for rest = after; strings.HasPrefix(rest, ";"); {
			name, number, ok := strings.Cut(strings.TrimLeft(rest[1:], " "), "=")
			end := strings.IndexFunc(number, func(r rune) bool { return r != '-' && (r < '0' || r > '9') })
			if end < 0 {
				end = len(number)
			}
			n, err := strconv.ParseInt(number[:end], 10, 64)
			if !ok || err != nil || end > 15 || name == "" || strings.ToLower(name) != name {
				return nil, fmt.Errorf("no parameter at %q", rest)
			}
			it.params[name], rest = n, number[end:]
		}
		list = append(list, it)
		if rest == "" {
			return list, nil
		}
		if rest = strings.TrimLeft(rest, " \t"); !strings.HasPrefix(rest, ",") {
			return nil, fmt.Errorf("no comma at %q", rest)
		}
		rest = strings.TrimLeft(rest[1:], " \t")
	}
}

func fields(t *testing.T, h http.Header, name string) []item {
	t.Helper()
	list, err := parseList(h.Values(name))
	if err != nil {
		t.Fatalf("%s: %q: %v", name, h.Values(name), err)
	}
	return list
}

// I063 to I066: both fields parse, r falls, t is not beyond w, Retry-After not before t, and nobody is named.
func TestFields(t *testing.T) {
	c := newClock()
	l := limiter(t, []ratelimit.Window{{20, time.Minute}, {30, time.Hour}}, ratelimit.Options{Now: c.now})
	h := l.Handler(ratelimit.ByAddress(nil, ""), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	left := map[string]int64{"test-1m": 20, "test-1h": 30}
	refused := 0
	for try := range 100 {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
		policy, now := fields(t, answer.Header(), "RateLimit-Policy"), fields(t, answer.Header(), "RateLimit")
		width := map[string]int64{}
		for _, p := range policy {
			width[p.value] = p.params["w"]
		}
		if len(policy) != 2 || policy[0].params["q"] != 20 || width["test-1m"] != 60 || policy[1].params["q"] != 30 || width["test-1h"] != 3600 {
			t.Fatalf("RateLimit-Policy = %q", answer.Header().Values("RateLimit-Policy"))
		}
		for _, s := range append(policy, now...) {
			if _, ok := s.params["pk"]; ok {
				t.Fatalf("a partition key: %v", s)
			}
		}
		retry, _ := strconv.ParseInt(answer.Header().Get("Retry-After"), 10, 64)
		for _, s := range now {
			if s.params["t"] < 0 || s.params["t"] > width[s.value] || s.params["t"] == 0 && s.params["r"] < 20 {
				t.Fatalf("try %d: %v: t beyond w", try, s)
			}
			if answer.Code == 200 && s.params["r"] != left[s.value]-1 {
				t.Fatalf("try %d: %v after %d: r does not fall", try, s, left[s.value])
			}
			if answer.Code == 429 && (retry < s.params["t"] || s.params["r"] != 0) {
				t.Fatalf("try %d: Retry-After is %d, before %v", try, retry, s)
			}
			left[s.value] = s.params["r"]
		}
		if answer.Code == 200 {
			if answer.Header().Get("Retry-After") != "" {
				t.Fatal("Retry-After on an answer that was admitted")
			}
			continue
		}
		refused++
		var doc struct {
			Type     string
			Status   int
			Violated []string `json:"violated-policies"`
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &doc); err != nil || !strings.HasSuffix(doc.Type, "quota-exceeded") || doc.Status != 429 ||
			len(doc.Violated) != len(now) || doc.Violated[0] != now[0].value || answer.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("429 = %s", answer.Body)
		}
		c.advance(time.Duration(retry) * time.Second) // whoever keeps to it is admitted
		answer = httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
		if answer.Code != 200 {
			t.Fatalf("after Retry-After: %d", answer.Code)
		}
		for _, s := range fields(t, answer.Header(), "RateLimit") {
			left[s.value] = s.params["r"]
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// Two limits in front of one handler are one list.
func TestFieldsOfSeveralLimits(t *testing.T) {
	inner := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, name := range []string{"users", "addresses"} {
		l, err := ratelimit.New(name, minute(3), ratelimit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		inner = l.Handler(ratelimit.ByAddress(nil, ""), inner)
	}
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	if got := fields(t, answer.Header(), "RateLimit"); len(got) != 2 || got[0].value != "addresses-1m" || got[1].value != "users-1m" {
		t.Errorf("RateLimit = %v", got)
	}
}

// S057: two routes, two limits, and neither takes from the other.
func TestLimitsOfRoutesAreApart(t *testing.T) {
	mux := http.NewServeMux()
	for path, quota := range map[string]int{"/a": 3, "/b": 10} {
		l := limiter(t, []ratelimit.Window{{quota, time.Second}}, ratelimit.Options{Now: newClock().now})
		mux.Handle(path, l.Handler(ratelimit.ByAddress(nil, ""), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	}
	for path, want := range map[string]int{"/a": 3, "/b": 10} {
		passed := 0
		for range 20 {
			answer := httptest.NewRecorder()
			mux.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
			if answer.Code == 200 {
				passed++
			}
		}
		if passed != want {
			t.Errorf("%s admitted %d, want %d", path, passed, want)
		}
	}
}

// The line of the policy is shared by all answers: what one handler adds to its own must not stand on another's.
func TestAnAnswersFieldsAreItsOwn(t *testing.T) {
	l, err := ratelimit.New("own", []ratelimit.Window{{Quota: 5, Per: time.Minute}}, ratelimit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h := http.Header{}
		if err := l.Admit(t.Context(), h, ratelimit.Text("ann"), 0); err != nil {
			t.Fatal(err)
		}
		if len(h["Ratelimit-Policy"]) != 1 || len(h["Ratelimit"]) != 1 {
			t.Fatalf("fields = %q, want one line each", h)
		}
		h.Add("RateLimit-Policy", `"evil";q=1;w=1`)
		h.Add("RateLimit", `"evil";r=0;t=1`)
	}
	h := http.Header{}
	if got := testing.AllocsPerRun(100, func() {
		clear(h)
		l.SetFields(h, ratelimit.Decision{Admitted: true})
	}); got > 2 {
		t.Errorf("SetFields makes %v allocations, want two: a text and its line", got)
	}
}
