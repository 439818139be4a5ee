package input_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/problem"
)

const formType = "application/x-www-form-urlencoded"

type login struct {
	audited
	Email    input.Email `form:"email" required:"true"`
	Password string      `form:"password" required:"true" maxLength:"5"`
	Remember bool        `form:"remember"`
	Page     int         `form:"page"`
	Unnamed  string
}

func TestDecodeFormReadsWhatFits(t *testing.T) {
	r := post(formType+"; charset=UTF-8", "email=a%2Bb%40B.example&password=%C3%B6+%3B%26&remember=on&page=&reason=r&csrf_token=t")
	r.URL.RawQuery = "email=evil@evil.example&page=7"
	in, err := input.DecodeForm[login](r)
	if err != nil {
		t.Fatalf("DecodeForm = %v %v", err, problem.From(err).Fields)
	}
	if in.Email.String() != "a+b@b.example" || in.Password != "ö ;&" || !in.Remember || in.Page != 0 || in.Reason != "r" {
		t.Errorf("DecodeForm = %+v", in)
	}
	if r.FormValue("page") != "" || r.FormValue("csrf_token") != "t" {
		t.Errorf("r.FormValue reads the query or misses the body: %v", r.Form)
	}
	if again, err := input.DecodeForm[login](r); err != nil || again != in {
		t.Errorf("second DecodeForm = %+v, %v", again, err)
	}
}

func TestDecodeFormRefuses(t *testing.T) {
	for _, tt := range []struct{ name, contentType, body, want string }{
		{"JSON", "application/json", "{}", "unsupported-media-type"},
		{"multipart", "multipart/form-data; boundary=x", "", "unsupported-media-type"},
		{"no content type", "", "email=a@b.example", "unsupported-media-type"},
		{"a field twice", formType, "email=a@b.example&email=b@b.example&password=abc", "malformed"},
		{"a field twice by encoding", formType, "email=a@b.example&%65mail=b@b.example&password=abc", "malformed"},
		{"an unknown field twice", formType, "x=1&x=2", "malformed"},
		{"a raw semicolon, a separator to some", formType, "email=a@b.example;password=abc", "malformed"},
		{"broken encoding", formType, "email=%zz", "malformed"},
		{"no name", formType, "=x", "malformed"},
		{"an empty pair", formType, "email=a@b.example&&password=abc", "malformed"},
		{"bytes that are not UTF-8", formType, "email=%ff", "malformed"},
		{"too many fields", formType, strings.Repeat("a&", 100), "malformed"},
		{"too long a body", formType, "email=" + strings.Repeat("a", input.MaxBodyBytes), "too-large"},
		{"an unknown field", formType, "email=a@b.example&password=abc&user_id=1", "invalid :unknown"},
		{"other case", formType, "Email=a@b.example&password=abc", "invalid :unknown email:required"},
		{"a field without a tag", formType, "email=a@b.example&password=abc&Unnamed=1", "invalid :unknown"},
		{"an empty form", formType, "", "invalid email:required password:required"},
		{"all faults at once", formType, "email=a&password=abcdef&remember=maybe&page=x&reason=%00", "invalid email:email remember:type page:type reason:characters password:too-long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := input.DecodeForm[login](post(tt.contentType, tt.body))
			if got := face(err); got != tt.want {
				t.Errorf("DecodeForm(%.60q) = %s, want %s", tt.body, got, tt.want)
			}
		})
	}
}

func TestAFaultyFormCanBeShownAgain(t *testing.T) {
	r := post(formType, "email=a@b.example&password=")
	in, err := input.DecodeForm[login](r)
	if face(err) != "invalid password:required" || in.Email.String() != "a@b.example" {
		t.Errorf("DecodeForm = %+v, %s", in, face(err))
	}
}

func TestAFormReadByOthersIsCheckedAllTheSame(t *testing.T) {
	r := post(formType, "email=a@b.example&email=b@b.example")
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	if _, err := input.Form(r); face(err) != "malformed" {
		t.Errorf("Form after ParseForm = %s, want malformed", face(err))
	}
}

func TestAFormNeedsAStructItCanFill(t *testing.T) {
	type list struct {
		A []string `form:"a"`
	}
	if _, err := input.DecodeForm[list](post(formType, "a=1")); face(err) != "internal" {
		t.Errorf("DecodeForm into a list = %s, want internal", face(err))
	}
	if _, err := input.DecodeForm[string](post(formType, "a=1")); face(err) != "internal" {
		t.Errorf("DecodeForm into a string = %s, want internal", face(err))
	}
}

// FuzzDecodeForm: no panic, no 5xx, and what is accepted says the same to the standard library, once.
func FuzzDecodeForm(f *testing.F) {
	for _, seed := range []string{"email=a@b.example&password=abc", "email=a;password=b", "a=%zz", "password=%00", "x&x", "email=%ff", "+=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		in, err := input.DecodeForm[login](post(formType, body))
		if err != nil {
			if status := problem.From(err).Kind.Status(); status >= 500 {
				t.Fatalf("DecodeForm(%q) = %v", body, err)
			}
			return
		}
		other := httptest.NewRequest("POST", "/", strings.NewReader(body))
		other.Header.Set("Content-Type", formType)
		if err := other.ParseForm(); err != nil || len(other.PostForm["password"]) != 1 || other.PostForm.Get("password") != in.Password {
			t.Errorf("DecodeForm(%q) reads password %q, net/http %q (%v)", body, in.Password, other.PostForm["password"], err)
		}
	})
}
