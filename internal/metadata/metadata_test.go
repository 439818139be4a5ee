package metadata_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/metadata"
	"github.com/ringwall/ringwall/internal/problem"
)

const schemas = `{
	"own": {"type": "object", "additionalProperties": false, "properties": {
		"theme": {"enum": ["light", "dark"]}, "site": {"type": "string", "format": "uri"}, "n": {"type": "number", "multipleOf": 0.5},
		"address": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 10}}, "required": ["city"], "additionalProperties": false},
		"tags": {"type": "array", "items": {"type": ["string", "object", "null"]}, "uniqueItems": true}}},
	"public": {"patternProperties": {"^x": {"type": "integer"}}, "propertyNames": {"maxLength": 4}}
}`

func parse(t *testing.T, text string) *metadata.Schemas {
	t.Helper()
	s, err := metadata.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// face is what the caller is told.
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

// RFC 7396, appendix A, as far as both sides are objects.
func TestMergeIsThatOfTheRFC(t *testing.T) {
	s := parse(t, `{"own": true}`)
	for _, tt := range []struct{ current, patch, want, changed string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`, "a"},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`, "b"},
		{`{"a":"b"}`, `{"a":null}`, `{}`, "a"},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`, "a"},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`, "a"},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`, "a"},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`, "a"},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`, "a"},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`, "a"},
		{``, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`, "a"},
		{`{"a":1}`, ` { "b" : [ { "z" : null , "a" : 1.50 } ] } `, `{"a":1,"b":[{"a":1.50,"z":null}]}`, "b"},
		{`{"a":1}`, `{"a":1}`, `{"a":1}`, ""},
		{`{"a":1}`, `{}`, `{"a":1}`, ""},
		{`{"a":1,"b":2}`, `null`, `{}`, "a,b"},
	} {
		merged, changed, err := s.Merge(metadata.Own, "", []byte(tt.current), []byte(tt.patch))
		if err != nil || string(merged) != tt.want || strings.Join(changed, ",") != tt.changed {
			t.Errorf("Merge(%s, %s) = %s, %v, %v, want %s, %s", tt.current, tt.patch, merged, changed, err, tt.want, tt.changed)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	s := parse(t, schemas)
	long := `{"tags":["` + strings.Repeat("x", metadata.MaxBytes) + `"]}`
	deep := strings.Repeat(`{"address":`, 17) + "1" + strings.Repeat("}", 17)
	for _, tt := range []struct {
		part              metadata.Part
		name, patch, want string
	}{
		{metadata.Private, "a part without a schema", `{"a":1}`, "invalid /private:closed"},
		{metadata.Own, "no object", `["theme"]`, "invalid /own:type"},
		{metadata.Own, "another value", `{"theme":"pink"}`, "invalid /own/theme:enum"},
		{metadata.Own, "another type within", `{"address":{"city":7}}`, "invalid /own/address/city:type"},
		{metadata.Own, "too long within", `{"address":{"city":"Llanfairpwllgwyngyll"}}`, "invalid /own/address/city:maxLength"},
		{metadata.Own, "what is required within", `{"address":{}}`, "invalid /own/address:required"},
		{metadata.Own, "a member of somebody's own", `{"is_admin":true}`, "invalid /own:additionalProperties"},
		{metadata.Own, "a format", `{"site":"not a site"}`, "invalid /own/site:format"},
		{metadata.Own, "a list with one element twice", `{"tags":["a","a"]}`, "invalid /own/tags:uniqueItems"},
		{metadata.Own, "a list's element", `{"tags":["a",1]}`, "invalid /own/tags/1:type"},
		{metadata.Own, "a member twice", `{"theme":"dark","theme":"light"}`, "invalid /own:malformed"},
		{metadata.Own, "a member twice within", `{"address":{"city":"Ur","city":"Rom"}}`, "invalid /own:malformed"},
		{metadata.Own, "no JSON", `{"theme":`, "invalid /own:malformed"},
		{metadata.Own, "nothing", ``, "invalid /own:malformed"},
		{metadata.Own, "two values", `{} {}`, "invalid /own:malformed"},
		{metadata.Own, "broken UTF-8", "{\"theme\":\"\xff\"}", "invalid /own:malformed"},
		{metadata.Own, "too long", long, "invalid /own:too-long"},
		{metadata.Own, "too deep", deep, "invalid /own:too-deep"},
		{metadata.Own, "a number that fills the memory", `{"n":1e999999999}`, "invalid /own:number"},
		{metadata.Own, "a number that fills it the other way", `{"n":1e-999999999}`, "invalid /own:number"},
		{metadata.Own, "an exponent that overflows", `{"n":1e99999999999999999999}`, "invalid /own:number"},
		{metadata.Own, "a number without end", `{"n":` + strings.Repeat("1", 41) + `}`, "invalid /own:number"},
		{metadata.Public, "a name of the request's making", `{"xSECRETS":"value"}`, "invalid /public:type /public:propertyNames"},
	} {
		merged, _, err := s.Merge(tt.part, "", nil, []byte(tt.patch))
		if got := face(err); got != tt.want && !(tt.part == metadata.Public && strings.HasPrefix(got, "invalid /public:")) || merged != nil {
			t.Errorf("%s: Merge = %s, %s, want %s", tt.name, merged, got, tt.want)
		}
		for _, f := range problem.From(err).Fields {
			if strings.Contains(f.Name+f.Code+f.Detail, "SECRETS") || strings.Contains(f.Name+f.Detail, "is_admin") {
				t.Errorf("%s: the fault repeats what was sent: %v", tt.name, f)
			}
		}
	}
}

// Together with what is stored: a patch that fits by itself may not.
func TestMergeHoldsTheWholeAgainstTheSchema(t *testing.T) {
	s := parse(t, `{"own": {"maxProperties": 2}}`)
	if _, _, err := s.Merge(metadata.Own, "/metadata", []byte(`{"a":1,"b":2}`), []byte(`{"c":3}`)); face(err) != "invalid /metadata/own:maxProperties" {
		t.Errorf("a third member is %s", face(err))
	}
	half := `"` + strings.Repeat("x", metadata.MaxBytes/2) + `"`
	if _, _, err := s.Merge(metadata.Own, "", []byte(`{"a":`+half+`}`), []byte(`{"b":`+half+`}`)); face(err) != "invalid /own:too-long" {
		t.Errorf("two halves are %s", face(err))
	}
	if merged, _, err := s.Merge(metadata.Own, "", []byte(`{"a":1,"b":2,"c":3}`), []byte(`{"c":null}`)); string(merged) != `{"a":1,"b":2}` {
		t.Errorf("what is mended is %s, %v", merged, err)
	}
}

func TestWithoutSchemasNothingIsTaken(t *testing.T) {
	for _, text := range []string{"", "{}"} {
		s := parse(t, text)
		for _, part := range metadata.Parts() {
			if _, _, err := s.Merge(part, "", nil, []byte(`{"a":1}`)); face(err) != "invalid /"+string(part)+":closed" {
				t.Errorf("Parse(%q): the part %s is %s", text, part, face(err))
			}
		}
	}
}

// A schema reaches neither files nor networks, not even where its author asks for it.
func TestSchemasLoadNothing(t *testing.T) {
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		_, _ = w.Write([]byte("true"))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte("true"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{server.URL + "/schema.json", "file://" + file, file, "ringwall://schema/private", "private", "other.json"} {
		for _, keyword := range []string{"$ref", "$dynamicRef", "$schema"} {
			text, _ := json.Marshal(map[string]any{"own": map[string]any{keyword: ref}})
			if s, err := metadata.Parse(string(text)); err == nil {
				t.Errorf("Parse took a %s to %s: %v", keyword, ref, s)
			}
		}
	}
	if asked {
		t.Error("a schema was fetched")
	}
	s := parse(t, `{"own": {"$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}, "additionalProperties": false}}, "$ref": "#/$defs/tree"}}`)
	if _, _, err := s.Merge(metadata.Own, "", nil, []byte(`{"left":{"left":{"right":1}}}`)); face(err) != "invalid /own/left/left:additionalProperties" {
		t.Errorf("a schema that refers to itself says %s", face(err))
	}
	// One that refers to itself for ever is refused when it is used, and ends.
	s = parse(t, `{"own": {"$ref": "#"}}`)
	if _, _, err := s.Merge(metadata.Own, "", nil, []byte(`{"a":1}`)); problem.From(err).Code != "invalid" {
		t.Errorf("a schema without an end says %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"no JSON", `own`},
		{"a list", `[]`},
		{"another part", `{"secret": {}}`},
		{"a part twice", `{"own": {}, "own": {}}`},
		{"a schema that is none", `{"own": {"type": "text"}}`},
		{"a schema that is a text", `{"own": "object"}`},
		{"a pattern that is none", `{"own": {"properties": {"a": {"pattern": "("}}}}`},
		{"too long", `{"own": {"title": "` + strings.Repeat("x", 64<<10) + `"}}`},
	} {
		if _, err := metadata.Parse(tt.text); err == nil {
			t.Errorf("Parse took %s", tt.name)
		}
	}
}

// Whatever is sent: what is stored is one object, small, in one spelling, and fits its schema; merging it again changes nothing.
func FuzzMerge(f *testing.F) {
	for _, seed := range []string{`{"theme":"dark"}`, `{"theme":null}`, `{"tags":[{"b":null,"a":[1]},null]}`, `null`, `{"n":1e2}`, `{"n":-0}`, `{"address":{"city":"Ur"}}`, `{"tags":["\u0000\ud83d\ude00"]}`} {
		f.Add(`{"tags":["x"]}`, seed)
	}
	s, err := metadata.Parse(schemas)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		stored, _, err := s.Merge(metadata.Own, "", nil, []byte(first))
		if err != nil {
			stored = nil
		}
		merged, _, err := s.Merge(metadata.Own, "", stored, []byte(second))
		if err != nil {
			if problem.From(err).Code != "invalid" {
				t.Fatalf("Merge(%q, %q) = %v", stored, second, err)
			}
			return
		}
		var read map[string]any
		if json.Unmarshal(merged, &read) != nil || len(merged) > metadata.MaxBytes {
			t.Fatalf("Merge(%q, %q) = %q", stored, second, merged)
		}
		again, changed, err := s.Merge(metadata.Own, "", merged, []byte(`{}`))
		if err != nil || len(changed) > 0 || !slices.Equal(again, merged) {
			t.Fatalf("Merge(%q, {}) = %q, %v, %v", merged, again, changed, err)
		}
	})
}
