package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/ringwalltest"
)

// description is /auth/openapi.json, with its schemas compiled, and notes what was called of it.
type description struct {
	document object
	compiler *jsonschema.Compiler
	answered map[string]bool // "POST /auth/v1/login 200"
}

const documentURL = "https://ringwall.test/openapi.json"

func describe(t *testing.T, s *ringwalltest.Server) *description {
	t.Helper()
	got := s.Client().Get("/auth/openapi.json")
	if got.Status != 200 || got.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("GET /auth/openapi.json = %d %s", got.Status, got.Header.Get("Content-Type"))
	}
	d := &description{compiler: jsonschema.NewCompiler(), answered: map[string]bool{}}
	got.Into(t, &d.document)
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, text); err != nil {
		t.Fatal(err)
	}
	return d
}

// at is what a JSON pointer such as "/components/schemas/Problem" leads to; nil if to nothing.
func (d *description) at(pointer string) any {
	var here any = d.document
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		here = member(here, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
	}
	return here
}

func member(of any, name string) any {
	o, _ := of.(object)
	return o[name]
}

// pointerTo is the JSON pointer of names.
func pointerTo(names ...string) string {
	var p strings.Builder
	for _, name := range names {
		p.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return p.String()
}

// operation is one call of the document.
type operation struct{ method, path string }

func (o operation) String() string { return o.method + " " + o.path }

func (o operation) pointer(more ...string) string {
	return pointerTo(append([]string{"paths", o.path, strings.ToLower(o.method)}, more...)...)
}

func (d *description) operations() (list []operation) {
	for path, methods := range d.at("/paths").(object) {
		for method := range methods.(object) {
			list = append(list, operation{strings.ToUpper(method), path})
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// schema compiles what a pointer leads to.
func (d *description) schema(t *testing.T, pointer string) *jsonschema.Schema {
	t.Helper()
	s, err := d.compiler.Compile(documentURL + "#" + pointer)
	if err != nil {
		t.Fatalf("the schema at %s: %v", pointer, err)
	}
	return s
}

// check holds an answer against the document: its status, its content type and every member of its body.
func (d *description) check(t *testing.T, o operation, got ringwalltest.Answer) {
	t.Helper()
	status := fmt.Sprint(got.Status)
	d.answered[o.String()+" "+status] = true
	response := d.at(o.pointer("responses", status))
	if response == nil {
		t.Errorf("%s answers %s (%s), which the document does not have", o, status, got.Code())
		return
	}
	for name := range asObject(member(response, "headers")) {
		if got.Header.Get(name) == "" {
			t.Errorf("%s = %s without the header %s that the document promises", o, status, name)
		}
	}
	content := asObject(member(response, "content"))
	if len(content) == 0 {
		if len(got.Body) != 0 {
			t.Errorf("%s = %s with a body of which the document says nothing: %s", o, status, got.Body)
		}
		return
	}
	kind := got.Header.Get("Content-Type")
	if content[kind] == nil {
		t.Errorf("%s = %s of the type %q, want one of %v", o, status, kind, content)
		return
	}
	if code := got.Code(); code != "" && !strings.Contains(member(response, "description").(string), "/auth/problems/"+code) {
		t.Errorf("%s = %s with the problem %q, which the document does not name there", o, status, code)
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.Body))
	if err != nil {
		t.Errorf("%s = %s: %v", o, status, err)
		return
	}
	if err := d.schema(t, o.pointer("responses", status, "content", kind, "schema")).Validate(body); err != nil {
		t.Errorf("%s = %s does not keep to its schema: %v\n%s", o, status, err, got.Body)
	}
}

func asObject(v any) object { o, _ := v.(object); return o }

func TestDescriptionIsWellFormed(t *testing.T) {
	s := ringwalltest.Start(t)
	d := describe(t, s)
	if d.document["openapi"] != "3.1.0" || d.at("/info/title") == "" || d.at("/info/version") == "" {
		t.Errorf("openapi %v, info %v", d.document["openapi"], d.document["info"])
	}
	var follow func(v any, where string)
	follow = func(v any, where string) {
		switch v := v.(type) {
		case object:
			if target, ok := v["$ref"].(string); ok && (!strings.HasPrefix(target, "#/") || d.at(target[1:]) == nil) {
				t.Errorf("%s refers to %s, where there is nothing", where, target)
			}
			for name, inner := range v {
				follow(inner, where+pointerTo(name))
			}
		case []any:
			for i, inner := range v {
				follow(inner, fmt.Sprintf("%s/%d", where, i))
			}
		}
	}
	follow(d.document, "")
	for name := range d.at("/components/schemas").(object) {
		d.schema(t, pointerTo("components", "schemas", name))
	}
	ids := map[any]bool{}
	described := map[string]bool{}
	for _, o := range d.operations() {
		described[o.String()] = true
		id, summary, answers := d.at(o.pointer("operationId")), d.at(o.pointer("summary")), asObject(d.at(o.pointer("responses")))
		if id == nil || id == "" || ids[id] || summary == nil || summary == "" || len(answers) < 2 {
			t.Errorf("%s has the id %v, the summary %q and %d answers, want an id of its own, a summary and success and refusals", o, id, summary, len(answers))
		}
		ids[id] = true
		for status, answer := range answers {
			if text := member(answer, "description"); text == nil || text == "" {
				t.Errorf("%s: %s has no description", o, status)
			}
		}
		for _, parameter := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(o.path, -1) {
			if list, _ := json.Marshal(d.at(o.pointer("parameters"))); !bytes.Contains(list, []byte(`"in":"path","name":"`+parameter[1]+`","required":true`)) {
				t.Errorf("%s does not describe {%s}: %s", o, parameter[1], list)
			}
		}
	}
	for _, r := range s.Ringwall.Routes() {
		if strings.HasPrefix(r.Path, "/auth/v1/") && !described[r.Method+" "+r.Path] {
			t.Errorf("%s %s is served and not described", r.Method, r.Path)
		}
	}
}

// The page for people lists what the document for machines lists.
func TestReadableDescriptionListsEveryOperation(t *testing.T) {
	s := ringwalltest.Start(t)
	c := s.Client()
	c.Header.Set("Accept", "text/html")
	page := c.Get("/auth/docs")
	want(t, "the page", page, 200, "")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile(`<span class="method">(\w+)</span> <code>([^<]+)</code>`).FindAllStringSubmatch(string(page.Body), -1) {
		listed[m[1]+" "+html.UnescapeString(m[2])] = true
	}
	// As a person reads it: without marks for code, on either side.
	words := html.UnescapeString(regexp.MustCompile(`</?code>`).ReplaceAllString(string(page.Body), ""))
	d := describe(t, s)
	for _, o := range d.operations() {
		if !listed[o.String()] {
			t.Errorf("%s is missing on /auth/docs", o)
		}
		if summary := strings.ReplaceAll(d.at(o.pointer("summary")).(string), "`", ""); !strings.Contains(words, summary) {
			t.Errorf("the summary of %s is missing on /auth/docs", o)
		}
	}
}

// What the document requires, bounds and leaves out is what the server requires, bounds and refuses.
func TestRequestSchemasAgreeWithTheServer(t *testing.T) {
	s := ringwalltest.Start(t)
	d := describe(t, s)
	c := s.SignIn("schema@example.org")
	good := map[string]object{
		"/auth/v1/signup":                 {"email": "new@example.org", "password": ringwalltest.Password, "display_name": "New"},
		"/auth/v1/email/verify":           {"token": "none", "password": "x"},
		"/auth/v1/email/resend":           {"email": "new@example.org"},
		"/auth/v1/login":                  {"email": "nobody@example.org", "password": "x", "remember": true, "bearer": false},
		"/auth/v1/session/reauthenticate": {"password": "x"},
		"/auth/v1/password/forgot":        {"email": "nobody@example.org"},
		"/auth/v1/password/reset":         {"token": "none", "password": ringwalltest.Password},
		"/auth/v1/me":                     {"display_name": "Ann", "language": "de"},
		"/auth/v1/me/email":               {"email": "other@example.org", "password": "x"},
		"/auth/v1/email/change":           {"token": "none", "password": "x"},
		"/auth/v1/not-me":                 {"token": "none"},
		"/auth/v1/keep-account":           {"token": "none"},
		"DELETE /auth/v1/me":              {"password": "x"},
		"/auth/v1/password":               {"current_password": "x", "new_password": newPassword},

		"/auth/v1/signup/invitation": {"token": "none", "password": ringwalltest.Password, "display_name": "New"},

		"/auth/v1/admin/invitations":             {"email": "guest@example.org", "role": "support", "reason": "x", "language": "de"},
		"/auth/v1/admin/invitations/{id}":        {"reason": "x"},
		"/auth/v1/admin/users/{id}/sessions":     {"reason": "x"},
		"/auth/v1/admin/sessions":                {"whose": "everybody", "reason": "x"},
		"/auth/v1/admin/sessions/{id}":           {"reason": "x"},
		"/auth/v1/admin/users/{id}/lock":         {"reason": "x", "until": "2999-01-01T00:00:00Z"},
		"/auth/v1/admin/users/{id}/unlock":       {"reason": "x"},
		"/auth/v1/admin/users/{id}/demand-reset": {"reason": "x"},
		"/auth/v1/admin/users/{id}/roles/{role}": {"reason": "x"},
		"/auth/v1/admin/users/{id}/metadata":     {"reason": "x"},
		"/auth/v1/admin/limits/clear":            {"who": "nobody@example.org", "reason": "x"},
		"/auth/v1/admin/webhooks/{id}/replay":    {"reason": "x"},
		"POST /auth/v1/admin/blocks":             {"network": "203.0.113.0/24", "until": s.Clock.Now().Add(300 * 24 * time.Hour).Format(time.RFC3339), "reason": "x"},
		"DELETE /auth/v1/admin/blocks":           {"network": "203.0.113.0/24", "reason": "x"},
	}
	admin := administrator(t, s, "schema-admin@example.org")
	named := strings.NewReplacer("{id}", someone(t, s, "managed@example.org"), "{role}", "support")
	for _, o := range d.operations() {
		if d.at(o.pointer("requestBody", "content", "application/json")) == nil {
			continue
		}
		body := good[o.String()]
		if body == nil {
			body = good[o.path]
		}
		if body == nil {
			t.Errorf("%s takes a body: give this test a good one", o)
			continue
		}
		schema := d.schema(t, o.pointer("requestBody", "content", "application/json", "schema"))
		for name, changed := range changes(body, asObject(d.at(schema.Ref.Location[strings.Index(schema.Ref.Location, "#")+1:]+"/properties"))) {
			text, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(3 * time.Minute)             // so that counters of attempts stay out of this
			if c.Get("/auth/v1/session").Status != 200 { // which keeps the session from idling out; half a day is its end all the same
				c.CSRF = ""
				c.SignIn("schema@example.org", ringwalltest.Password)
			}
			sender := c
			if strings.HasPrefix(o.path, "/auth/v1/admin") {
				sender = admin
				sender.SignIn("schema-admin@example.org", ringwalltest.Password) // the proof must be fresh
			}
			if d.at(o.pointer("x-rule")) == authz.Fresh(5*time.Minute).String() {
				c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password})
			}
			got := sender.Do(o.method, named.Replace(o.path), changed)
			refusal := schema.Validate(instance)
			if (refusal != nil) != (got.Code() == "invalid") {
				t.Errorf("%s: %s = %d %q, and the schema says %v\n%.200s", o, name, got.Status, got.Code(), refusal, text)
			}
			if name == "unchanged" && got.Code() == "invalid" {
				t.Errorf("%s: the good body is refused: %s", o, got.Body)
			}
		}
	}
}

// changes are the body as it is and bodies with one thing wrong, or only perhaps wrong, by name.
func changes(body, properties object) map[string]object {
	all := map[string]object{"unchanged": body, "with a stranger": with(body, "role", "admin")}
	for name, property := range properties {
		all["without "+name] = with(body, name, nil)
		all["a number for "+name] = with(body, name, 7)
		all["a list for "+name] = with(body, name, []string{})
		all["null for "+name] = with(body, name, json.RawMessage("null"))
		if member(property, "type") != "string" {
			continue
		}
		all["an endless "+name] = with(body, name, strings.Repeat("é", 2000)) // every text has a bound
		if most, ok := member(property, "maxLength").(float64); ok {
			all["a long "+name] = with(body, name, strings.Repeat("é", int(most)+1))
		}
		if body[name] != nil {
			all["an empty "+name] = with(body, name, "")
		}
	}
	return all
}

// with is the body with another value of a member; nil takes it out.
func with(body object, name string, value any) object {
	changed := object{}
	for n, v := range body {
		changed[n] = v
	}
	changed[name] = value
	if value == nil {
		delete(changed, name)
	}
	return changed
}
