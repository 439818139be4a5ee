package input_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/problem"
)

type search struct {
	Words string      `query:"q" required:"true" maxLength:"20"`
	Sort  string      `query:"sort" enum:"newest,oldest"`
	Code  string      `query:"code" pattern:"[A-Z]{2}[0-9]+|none"`
	Page  *int        `query:"page" minimum:"1" maximum:"100"`
	Cents int64       `query:"cents" minimum:"-5" maximum:"9007199254740993"`
	From  input.Email `query:"from"`
	Paid  bool        `query:"paid"`
	Form  string      `form:"form" json:"json"`
}

func TestDecodeQueryReadsWhatFits(t *testing.T) {
	r := httptest.NewRequest("GET", "/search?q=a%2Bb+c%26d&sort=oldest&code=AB12&page=7&cents=-5&from=ann@b.example&paid=1", nil)
	in, err := input.DecodeQuery[search](r)
	if err != nil || in.Words != "a+b c&d" || in.Sort != "oldest" || in.Code != "AB12" || in.Page == nil || *in.Page != 7 || in.Cents != -5 || in.From.String() != "ann@b.example" || !in.Paid {
		t.Errorf("DecodeQuery = %+v, %s", in, face(err))
	}
	in, err = input.DecodeQuery[search](httptest.NewRequest("GET", "/search?q=a&sort=&code=&page=", nil))
	if err != nil || in.Page != nil {
		t.Errorf("what may be left out: DecodeQuery = %+v, %s", in, face(err))
	}
}

func TestDecodeQueryRefuses(t *testing.T) {
	for _, tt := range []struct{ name, query, want string }{
		{"nothing", "", "invalid q:required"},
		{"a field twice", "q=a&q=b", "malformed"},
		{"a field twice by encoding", "q=a&%71=b", "malformed"},
		{"a raw semicolon", "q=a;page=2", "malformed"},
		{"broken encoding", "q=%zz", "malformed"},
		{"bytes that are not UTF-8", "q=%ff", "malformed"},
		{"too many fields", strings.Repeat("a&", 100), "malformed"},
		{"too long", "q=" + strings.Repeat("a", 8<<10), "malformed"},
		{"an unknown field", "q=a&admin=1", "invalid :unknown"},
		{"a secret that does not belong there", "q=a&csrf_token=x", "invalid :unknown"},
		{"the field of a form", "q=a&form=x", "invalid :unknown"},
		{"other case", "Q=a", "invalid :unknown q:required"},
		{"NUL", "q=%00", "invalid q:characters"},
		{"another choice", "q=a&sort=name", "invalid sort:choice"},
		{"a choice and more", "q=a&sort=newest,oldest", "invalid sort:choice"},
		{"an injection into the order", "q=a&sort=newest;DROP+TABLE+users", "malformed"},
		{"a pattern that matches a part", "q=a&code=xAB12", "invalid code:format"},
		{"a line break behind the pattern", "q=a&code=AB12%0a", "invalid code:format"},
		{"one of two with more", "q=a&code=none1", "invalid code:format"},
		{"less than least", "q=a&page=0", "invalid page:too-small"},
		{"more than most", "q=a&page=101", "invalid page:too-large"},
		{"a negative", "q=a&cents=-6", "invalid cents:too-small"},
		{"one more than a float can tell", "q=a&cents=9007199254740994", "invalid cents:too-large"},
		{"beyond the type", "q=a&cents=99999999999999999999", "invalid cents:type"},
		{"no number", "q=a&page=x", "invalid page:type"},
		{"all faults at once", "q=" + strings.Repeat("a", 21) + "&sort=x&code=x&page=0&from=x&paid=maybe", "invalid from:email paid:type q:too-long sort:choice code:format page:too-small"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/search", nil)
			r.URL.RawQuery = tt.query
			_, err := input.DecodeQuery[search](r)
			if got := face(err); got != tt.want {
				t.Errorf("DecodeQuery(%.60q) = %s, want %s", tt.query, got, tt.want)
			}
		})
	}
}

// The same tags hold in JSON, in forms and in queries. A number is judged even if it was not sent: zero is a number.
func TestRulesHoldInJSONToo(t *testing.T) {
	type order struct {
		Count int     `json:"count" minimum:"1" maximum:"9"`
		Size  uint8   `json:"size" maximum:"200"`
		Share float64 `json:"share" minimum:"0" maximum:"0.5"`
		Kind  *string `json:"kind" enum:"a,b" pattern:"[a-c]"`
	}
	for body, want := range map[string]string{
		`{"count":1}`: "ok", `{"count":9,"size":200,"share":0.5,"kind":"b"}`: "ok", `{"count":9,"kind":null}`: "ok",
		`{}`: "invalid /count:too-small", `{"count":10,"size":201,"share":0.51,"kind":"c"}`: "invalid /count:too-large /size:too-large /share:too-large /kind:choice", `{"count":1,"share":-0.1}`: "invalid /share:too-small",
	} {
		if _, err := input.JSON[order]([]byte(body)); face(err) != want {
			t.Errorf("JSON(%s) = %s, want %s", body, face(err), want)
		}
	}
}

func TestTagsThatMakeNoSenseAreOurMistake(t *testing.T) {
	mistakes := map[string]error{}
	for name, decode := range map[string]func() error{
		"a range of text": func() error {
			_, err := input.JSON[struct {
				A string `minimum:"1"`
			}]([]byte(`{"A":""}`))
			return err
		},
		"a range in letters": func() error {
			_, err := input.JSON[struct {
				A int `maximum:"many"`
			}]([]byte(`{"A":1}`))
			return err
		},
		"the same, not sent": func() error {
			_, err := input.JSON[struct {
				A *int `maximum:"many"`
			}]([]byte(`{}`))
			return err
		},
		"a pattern of a number": func() error {
			_, err := input.JSON[struct {
				A int `pattern:"1"`
			}]([]byte(`{"A":1}`))
			return err
		},
		"a broken pattern": func() error {
			_, err := input.JSON[struct {
				A string `pattern:"["`
			}]([]byte(`{"A":""}`))
			return err
		},
		"a pattern that ends ours": func() error {
			_, err := input.JSON[struct {
				A string `pattern:"a)|(b"`
			}]([]byte(`{"A":"x"}`))
			return err
		},
		"a length of a list": func() error { // it bounded neither the list nor what stands in it
			_, err := input.JSON[struct {
				A []string `maxLength:"3"`
			}]([]byte(`{"A":["long"]}`))
			return err
		},
		"a choice of a list": func() error {
			_, err := input.JSON[struct {
				A []string `enum:"a"`
			}]([]byte(`{"A":[]}`))
			return err
		},
	} {
		mistakes[name] = decode()
	}
	for name, err := range mistakes {
		if problem.From(err).Kind != problem.Internal || err == nil {
			t.Errorf("%s: %v, want an internal error", name, err)
		}
	}
}

// FuzzDecodeQuery: no query panics, repeats itself in the refusal, or passes what breaks a rule.
func FuzzDecodeQuery(f *testing.F) {
	for _, seed := range []string{"q=a", "q=a&q=b", "q=%00", "q=a;b", "%71=a&page=0", "q=a&sort=newest&code=AB1&page=100", "q=a&cents=1e9", "&&=", "q=+%2b&from=a@b.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = query
		in, err := input.DecodeQuery[search](r)
		if err != nil {
			if kind := problem.From(err).Kind; kind != problem.Malformed && kind != problem.Invalid {
				t.Fatalf("DecodeQuery(%q) = %v", query, err)
			}
			return
		}
		if in.Words == "" || len([]rune(in.Words)) > 20 || strings.ContainsRune(in.Words+in.Code, 0) || in.Page != nil && (*in.Page < 1 || *in.Page > 100) || in.Cents < -5 || in.Sort != "" && in.Sort != "newest" && in.Sort != "oldest" {
			t.Fatalf("DecodeQuery(%q) = %+v", query, in)
		}
	})
}
