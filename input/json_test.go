package input_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

type place struct {
	City string `json:"city" required:"true"`
	More *place `json:"more"`
}

type audited struct {
	Reason string `json:"reason" form:"reason" maxLength:"10"`
}

type signup struct {
	audited
	Email    input.Email       `json:"email" required:"true"`
	Password string            `json:"password" required:"true" minLength:"3" maxLength:"5"`
	Name     input.DisplayName `json:"display_name"`
	Remember bool              `json:"remember"`
	Count    int8              `json:"count"`
	Session  identity.ID       `json:"session"`
	Hint     *string           `json:"hint" maxLength:"2"`
	Places   []place           `json:"places"`
	Labels   map[string]string `json:"labels"`
	Hidden   string            `json:"-"`
}

func post(contentType, body string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// face is what the caller is told: status, code and the faulty fields.
func face(err error) string {
	if err == nil {
		return "ok"
	}
	e := problem.From(err)
	text := e.Code
	for _, f := range e.Fields {
		text += " " + f.Name + ":" + f.Code
	}
	return text
}

func TestDecodeJSONReadsWhatFits(t *testing.T) {
	in, err := input.DecodeJSON[signup](post("application/json; charset=UTF-8",
		`{"email":"Ann@EXAMPLE.org","password":"größe","display_name":" Ann ","remember":true,"hint":null,"reason":"r","session":"0190d5a0-0000-7000-8000-000000000001",
		  "places":[{"city":"Rom","more":{"city":"Ur","more":null}}],"labels":{"a":"b","A":"c"}}`), 0)
	if err != nil {
		t.Fatalf("DecodeJSON = %v, fields %v", err, problem.From(err).Fields)
	}
	if in.Email.String() != "Ann@example.org" || in.Password != "größe" || in.Name != "Ann" || !in.Remember || in.Reason != "r" ||
		in.Hint != nil || in.Places[0].More.City != "Ur" || len(in.Labels) != 2 || in.Session.IsZero() {
		t.Errorf("DecodeJSON = %+v", in)
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	const good = `"email":"a@b.example","password":"abcd"`
	deep := func(n int) string { return strings.Repeat(`{"more":`, n) + "null" + strings.Repeat("}", n) }
	for _, tt := range []struct{ name, body, want string }{
		{"an empty body", ``, "malformed"},
		{"a member twice", `{` + good + `,"email":"b@b.example"}`, "malformed"},
		{"a member twice by escape", `{` + good + `,"\u0065mail":"b@b.example"}`, "malformed"},
		{"a member twice in depth", `{` + good + `,"places":[{"city":"a","city":"b"}]}`, "malformed"},
		{"a member twice in a map", `{` + good + `,"labels":{"a":"1","a":"2"}}`, "malformed"},
		{"a member twice where the type is wrong anyway", `{` + good + `,"count":{"a":"1","a":"2"}}`, "malformed"},
		{"a member in other case beside ours", `{` + good + `,"Email":"b@b.example"}`, "invalid :unknown"},
		{"a member in other case instead of ours", `{"EMAIL":"a@b.example","password":"abcd"}`, "invalid :unknown"},
		{"a member spelled with the Kelvin sign", `{` + good + `,"` + "\u212A" + `":1}`, "invalid :unknown"},
		{"an owner from the body", `{` + good + `,"user_id":"x"}`, "invalid :unknown"},
		{"a field that is not for bodies", `{` + good + `,"Hidden":"x"}`, "invalid :unknown"},
		{"an unknown member in depth", `{` + good + `,"places":[{"city":"a"},{"town":1}]}`, "invalid /places/1:unknown"},
		{"data after the value", `{` + good + `} {}`, "malformed"},
		{"garbage after the value", `{` + good + `}x`, "malformed"},
		{"a byte order mark", "\uFEFF{" + good + "}", "malformed"},
		{"bytes that are not UTF-8", "{\"email\":\"a@b.example\",\"password\":\"ab\xff\"}", "malformed"},
		{"half a surrogate pair", `{"email":"a@b.example","password":"ab\ud800"}`, "malformed"},
		{"UTF-16", "{\x00}\x00", "malformed"},
		{"a comment", `{` + good + `/* */}`, "malformed"},
		{"a comma at the end", `{` + good + `,}`, "malformed"},
		{"half a body", `{"email":"a@b.exam`, "malformed"},
		{"NUL in a string", `{"email":"a@b.example","password":"ab\u0000c"}`, "invalid /password:characters"},
		{"NUL in a map", `{` + good + `,"labels":{"a":"\u0000"}}`, "invalid /labels:characters"},
		{"NUL in the key of a map", `{` + good + `,"labels":{"\u0000":"a"}}`, "invalid /labels:characters"},
		{"a list for an object", `[]`, "invalid :type"},
		{"null for the whole", `null`, "invalid :type"},
		{"null where Go has no nil", `{"email":null,"password":null,"remember":null}`, "invalid /email:type /password:type /remember:type"},
		{"all wrong types at once", `{"email":1,"password":["x"],"display_name":{},"remember":"yes","count":"1","places":{},"labels":[]}`,
			"invalid /email:type /password:type /display_name:type /remember:type /count:type /places:type /labels:type"},
		{"a number out of range", `{` + good + `,"count":300}`, "invalid /count:type"},
		{"a fraction for an integer", `{` + good + `,"count":1.5}`, "invalid /count:type"},
		{"what is missing or empty", `{"email":"a@b.example","password":""}`, "invalid /password:required"},
		{"everything missing", `{}`, "invalid /email:required /password:required"},
		{"what is missing in depth", `{` + good + `,"places":[{"city":"a"},{"more":{}}]}`, "invalid /places/1/city:required /places/1/more/city:required"},
		{"what is too short, in code points", `{"email":"a@b.example","password":"öö"}`, "invalid /password:too-short"},
		{"what is too long", `{"email":"a@b.example","password":"abcdef","hint":"abc","reason":"12345678901"}`, "invalid /reason:too-long /password:too-long /hint:too-long"},
		{"what does not read itself", `{"email":"a","password":"abcd","display_name":"<b>","session":"1"}`, "invalid /email:email /display_name:characters /session:format"},
		{"the seventeenth level", `{` + good + `,"places":[` + deep(15) + `]}`, "malformed"},
		{"ten thousand levels", strings.Repeat("[", 10000), "malformed"},
		{"levels behind an escaped quote", `{"password":"\"` + `",` + strings.Repeat(`"a":[`, 20), "malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := input.DecodeJSON[signup](post("application/json", tt.body), 0)
			if got := face(err); got != tt.want {
				t.Errorf("DecodeJSON(%.80q) = %s, want %s", tt.body, got, tt.want)
			}
		})
	}
	if _, err := input.DecodeJSON[place](post("application/json", strings.Repeat(`{"city":"a","more":`, 15)+`{"city":"a"}`+strings.Repeat("}", 15)), 0); err != nil {
		t.Errorf("sixteen levels: %v", err)
	}
}

func TestDecodeJSONTakesJSONAlone(t *testing.T) {
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1",
		"application/json; profile=x", "application/jsonx", "application/json, text/plain", "application/problem+json", "a", "application/json;charset=utf-8;charset=utf-16"} {
		_, err := input.DecodeJSON[signup](post(contentType, `{}`), 0)
		if got := face(err); got != "unsupported-media-type" {
			t.Errorf("Content-Type %q: DecodeJSON = %s, want unsupported-media-type", contentType, got)
		}
	}
	r := post("application/json", "{}")
	r.Header.Add("Content-Type", "application/json")
	if _, err := input.DecodeJSON[signup](r, 0); face(err) != "unsupported-media-type" {
		t.Errorf("two content types: DecodeJSON = %s", face(err))
	}
	r = post("application/json", "{}")
	r.Header.Set("Content-Encoding", "gzip")
	if _, err := input.DecodeJSON[signup](r, 0); face(err) != "unsupported-media-type" {
		t.Errorf("gzip: DecodeJSON = %s", face(err))
	}
}

func TestABodyMayBeEmptyWhereNothingIsAsked(t *testing.T) {
	for _, tt := range []struct{ contentType, body, want string }{
		{"", "", "ok"}, {"application/json", "", "ok"}, {"application/json", "{}", "ok"},
		{"", "{}", "unsupported-media-type"},
		{"application/x-www-form-urlencoded", "", "unsupported-media-type"}, // what an empty cross-site form sends
		{"text/plain", "", "unsupported-media-type"},
		{"application/json", `{"user_id":1}`, "invalid :unknown"},
	} {
		if _, err := input.DecodeJSON[struct{}](post(tt.contentType, tt.body), 0); face(err) != tt.want {
			t.Errorf("DecodeJSON(%q, %q) = %s, want %s", tt.contentType, tt.body, face(err), tt.want)
		}
	}
}

func TestABodyIsLimited(t *testing.T) {
	body := `{"city":"` + strings.Repeat("a", input.MaxBodyBytes) + `"}`
	known := post("application/json", body)
	chunked := post("application/json", body)
	chunked.ContentLength, chunked.Body = -1, io.NopCloser(strings.NewReader(body))
	short := post("application/json", `{"city":"Rom"}`)
	for name, call := range map[string]func() (place, error){
		"declared":      func() (place, error) { return input.DecodeJSON[place](known, 0) },
		"chunked":       func() (place, error) { return input.DecodeJSON[place](chunked, 0) },
		"limit of ours": func() (place, error) { return input.DecodeJSON[place](short, 5) },
	} {
		if _, err := call(); face(err) != "too-large" {
			t.Errorf("%s: DecodeJSON = %s, want too-large", name, face(err))
		}
	}
	if _, err := input.DecodeJSON[place](post("application/json", body), input.MaxBodyBytes+20); err != nil {
		t.Errorf("higher limit: DecodeJSON = %v", err)
	}
}

func TestABodyThatIsDeclaredTooLongIsNotRead(t *testing.T) {
	r := post("application/json", "")
	r.Body, r.ContentLength = io.NopCloser(failing{errors.New("was read")}), input.MaxBodyBytes+1
	if _, err := input.DecodeJSON[place](r, 0); face(err) != "too-large" {
		t.Errorf("DecodeJSON = %s, want too-large", face(err))
	}
}

func TestAValueFromElsewhereIsReadAsStrictly(t *testing.T) {
	if in, err := input.JSON[place]([]byte(`{"city":"Rom"}`)); err != nil || in.City != "Rom" {
		t.Errorf("JSON = %+v, %v", in, err)
	}
	for body, want := range map[string]string{``: "malformed", `{"city":"a","city":"b"}`: "malformed", `{"City":"a"}`: "invalid :unknown", `{} {}`: "malformed", `{}`: "invalid /city:required"} {
		if _, err := input.JSON[place]([]byte(body)); face(err) != want {
			t.Errorf("JSON(%s) = %s, want %s", body, face(err), want)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestABodyThatDoesNotArrive(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{{os.ErrDeadlineExceeded, "timeout"}, {io.ErrUnexpectedEOF, "malformed"}, {errors.New("reset by peer"), "malformed"}, {&http.MaxBytesError{Limit: 1}, "too-large"}} {
		r := post("application/json", "")
		r.Body, r.ContentLength = io.NopCloser(failing{tt.err}), -1
		if _, err := input.DecodeJSON[place](r, 0); face(err) != tt.want {
			t.Errorf("%v: DecodeJSON = %s, want %s", tt.err, face(err), tt.want)
		}
	}
}

func TestRefusalsNeverRepeatInput(t *testing.T) {
	const mark = "zq9xmark"
	for _, body := range []string{
		`{"` + mark + `":1}`, `{"email":"` + mark + `"}`, `{"labels":{"` + mark + `":1}}`, `{"labels":{"` + mark + `":"1","` + mark + `":"1"}}`, `{"email":` + mark + `}`,
		`{"count":"` + mark + `"}`, mark, `{"session":"` + mark + `","password":"` + mark + `"}`, `{"places":[{"` + mark + `":1}]}`, `{"labels":{"a":["` + mark + `"]}}`,
	} {
		_, err := input.DecodeJSON[signup](post("application/json", body), 0)
		w := httptest.NewRecorder()
		input.Refuse(w, nil, err)
		if w.Code < 400 || w.Code >= 500 || strings.Contains(w.Body.String(), mark) || strings.Contains(err.Error(), mark) {
			t.Errorf("%s answers %d %s (log: %v)", body, w.Code, w.Body, err)
		}
	}
	_, err := input.DecodeJSON[place](post("application/json", `{"x":1}`), 0)
	if detail := problem.From(err).Fields[0].Detail; !strings.Contains(detail, "city, more") {
		t.Errorf("an unknown member is answered %q, want the known names in it", detail)
	}
	_, err = input.DecodeJSON[struct{}](post("application/json", `{"x":1}`), 0)
	if detail := problem.From(err).Fields[0].Detail; !strings.Contains(detail, "no members") {
		t.Errorf("a member where none is taken is answered %q", detail)
	}
}

func TestTagsThatMakeNoSenseAreOurFault(t *testing.T) {
	type bad struct {
		A string `json:"a" maxLength:"many"`
	}
	_, err := input.DecodeJSON[bad](post("application/json", `{"a":"b"}`), 0)
	if got := face(err); got != "internal" {
		t.Errorf("DecodeJSON = %s, want internal", got)
	}
}

func TestRefuseHidesWhatItDoesNotKnow(t *testing.T) {
	w := httptest.NewRecorder()
	input.Refuse(w, nil, errors.New("password of the database"))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "database") {
		t.Errorf("Refuse = %d %s", w.Code, w.Body)
	}
}

func TestTimesAndFaultsOfOwnTypes(t *testing.T) {
	type when struct {
		At time.Time `json:"at"`
	}
	if _, err := input.DecodeJSON[when](post("application/json", `{"at":"tomorrow"}`), 0); face(err) != "invalid /at:format" {
		t.Errorf("DecodeJSON = %s, want invalid /at:format", face(err))
	}
	if in, err := input.DecodeJSON[when](post("application/json", `{"at":"2026-01-02T03:04:05Z"}`), 0); err != nil || in.At.Year() != 2026 {
		t.Errorf("DecodeJSON = %v, %v", in, err)
	}
}

// FuzzDecodeJSON: no body makes it panic or answer 5xx, and none that it accepts holds two members that another parser could take for one.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{"email":"a@b.example","password":"abcd"}`, `{"email":"a","Email":"b"}`, `{"labels":{"a":"1","a":"2"}}`, `{"places":[{"city":"x","more":{}}]}`,
		`{"a":"\ud800"}`, `[[[[[[[[[[[[[[[[[[`, "\uFEFF{}", `{} {}`, `{"hint":null,"count":1e2}`, `{"email":"a@b.example","password":"abcd","labels":{"\u0061":"1"}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		in, err := input.DecodeJSON[signup](post("application/json", body), 0)
		if err != nil {
			if status := problem.From(err).Kind.Status(); status >= 500 {
				t.Fatalf("DecodeJSON(%q) = %v", body, err)
			}
			return
		}
		if diff := cmp.Diff("", members(body)); diff != "" {
			t.Errorf("DecodeJSON(%q) = %+v, with a doubtful member:\n%s", body, in, diff)
		}
		var other map[string]any
		if err := json.Unmarshal([]byte(body), &other); err != nil || other["password"] != in.Password {
			t.Errorf("DecodeJSON(%q) reads password %q, encoding/json %q (%v)", body, in.Password, other["password"], err)
		}
	})
}

// members walks the body with encoding/json and tells of the first member that stands twice. At the top, other case counts as twice.
func members(body string) string {
	dec := json.NewDecoder(bytes.NewReader([]byte(body)))
	type level struct {
		names  map[string]bool
		isName bool
	}
	var stack []*level
	for {
		token, err := dec.Token()
		if err != nil {
			return ""
		}
		top := &level{}
		if len(stack) > 0 {
			top = stack[len(stack)-1]
		}
		switch token {
		case json.Delim('{'):
			top.isName = top.names != nil
			stack = append(stack, &level{names: map[string]bool{}, isName: true})
			continue
		case json.Delim('['):
			top.isName = top.names != nil
			stack = append(stack, &level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			continue
		}
		if top.names == nil {
			continue
		}
		if name, ok := token.(string); ok && top.isName {
			if len(stack) == 1 {
				name = strings.ToLower(name)
			}
			if top.names[name] {
				return name
			}
			top.names[name] = true
			top.isName = false
			continue
		}
		top.isName = true
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	type login struct {
		Email    input.Email `json:"email" required:"true"`
		Password string      `json:"password" required:"true" maxLength:"256"`
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := input.DecodeJSON[login](post("application/json", `{"email":"a@b.example","password":"correct horse battery"}`), 0); err != nil {
			b.Fatal(err)
		}
	}
}

func TestManyFaultsMakeNoLargeAnswer(t *testing.T) {
	for _, body := range []string{`{"places":[` + strings.Repeat("1,", 20000) + `1]}`, `{"labels":{"a":1,"b":2,"c":3}}`, `{"places":[` + strings.Repeat("{},", 20000) + `{}]}`} {
		_, err := input.DecodeJSON[signup](post("application/json", body), 0)
		if n := len(problem.From(err).Fields); n < 2 || n > 32 {
			t.Errorf("%.20s… gives %d faults, want 32 at most", body, n)
		}
	}
}
