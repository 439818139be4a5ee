package api

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

// OpenAPI is the route that serves the description of all the others, as OpenAPI 3.1. It is made from the table once, when
// somebody first asks: most servers are never asked.
func OpenAPI(c *chain.Chain, server string, routes []chain.Route) chain.Route {
	describe := sync.OnceValues(func() ([]byte, error) { return json.MarshalIndent(describeAPI(c.Prefix, server, routes), "", "  ") })
	return chain.Route{Method: "GET", Path: "/openapi.json", Rule: authz.Public(), Status: 200, Summary: "This description.",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			doc, err := describe()
			if err != nil {
				c.Fail(w, r, err)
				return
			}
			w.Header()["Content-Type"] = jsonType
			_, _ = w.Write(doc) // the client is gone: nobody to tell
		})}
}

type object = map[string]any

func describeAPI(prefix, server string, routes []chain.Route) object {
	paths, schemas := object{}, object{"Problem": problemSchema()}
	for _, r := range routes {
		if r.Page || r.Status == 0 {
			continue
		}
		path := r.Pattern(prefix)
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(r.Method)] = operation(prefix, r, schemas)
	}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "Ringwall", "version": "1", "description": "Sign-up, sign-in, sessions and passwords. Every error is an RFC 9457 problem document."},
		"servers": []object{{"url": server}},
		"paths":   paths,
		"components": object{
			"schemas": schemas,
			"parameters": object{
				"CSRFToken": object{"name": "X-CSRF-Token", "in": "header", "schema": object{"type": "string"},
					"description": "The csrf_token of the session. Required with the session cookie; needless with a bearer token and without a session."},
			},
			"headers": object{
				"RateLimitPolicy": object{"description": "The quotas of one person, as structured fields (draft-ietf-httpapi-ratelimit-headers).", "schema": object{"type": "string"}},
				"RateLimit":       object{"description": "What is left of them (r), and in how many seconds all of it is back (t).", "schema": object{"type": "string"}},
				"RetryAfter":      object{"description": "Seconds to wait.", "required": true, "schema": object{"type": "integer", "minimum": 1}},
			},
			"securitySchemes": object{
				"cookie": object{"type": "apiKey", "in": "cookie", "name": "__Host-ringwall"},
				"bearer": object{"type": "http", "scheme": "bearer"},
			},
		},
	}
}

func operation(prefix string, r chain.Route, schemas object) object {
	op := object{"summary": r.Summary, "operationId": operationID(r), "x-rule": r.Rule.String()}
	success := object{"description": http.StatusText(r.Status)}
	if r.Out != nil {
		success["content"] = object{"application/json": object{"schema": reference(r.Out, schemas, isGiven)}}
	}
	if r.Ordinary() {
		success["headers"] = rateLimits(object{})
	}
	answers := object{strconv.Itoa(r.Status): success}
	parameters := parametersOf(r, schemas)
	if hasBody(r) {
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": reference(r.In, schemas, isAsked)}}}
	}
	if r.Kinds != nil {
		content := object{}
		for _, kind := range r.Kinds {
			content[kind] = object{}
		}
		op["requestBody"] = object{"required": true, "content": content}
	}
	if r.Rule.Needs() {
		op["security"] = []object{{"cookie": []string{}}, {"bearer": []string{}}}
	}
	if r.Method != http.MethodGet && !r.Open {
		parameters = append(parameters, object{"$ref": "#/components/parameters/CSRFToken"})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	for status, text := range problemsByStatus(prefix, codesOf(r)) {
		answer := object{"description": text, "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}}
		if status == "429" || status == "503" {
			answer["headers"] = object{"Retry-After": object{"$ref": "#/components/headers/RetryAfter"}}
			if status == "429" && r.Ordinary() {
				answer["headers"] = rateLimits(answer["headers"].(object))
			}
		}
		answers[status] = answer
	}
	op["responses"] = answers
	return op
}

// rateLimits adds the fields of the quota to headers.
func rateLimits(headers object) object {
	headers["RateLimit-Policy"], headers["RateLimit"] = object{"$ref": "#/components/headers/RateLimitPolicy"}, object{"$ref": "#/components/headers/RateLimit"}
	return headers
}

// codesOf are the problems that a route can answer: its own and those of the layers before it.
func codesOf(r chain.Route) []string {
	codes := append([]string{"internal", "unavailable", "malformed", "misdirected"}, r.Errors...)
	if r.Method != http.MethodGet {
		codes = append(codes, "too-large") // a form is read for its token, whatever the route takes
	}
	if r.Method != http.MethodGet && !r.Open {
		codes = append(codes, "csrf")
	}
	if r.Rule.Needs() {
		codes = append(codes, "unauthenticated")
	}
	if r.Ordinary() {
		codes = append(codes, "quota-exceeded")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodDelete || hasBody(r) { // a body is read, if only to find it empty
		codes = append(codes, "invalid", "unsupported-media-type", "timeout")
	}
	return codes
}

func problemsByStatus(prefix string, codes []string) map[string]string {
	out := map[string]string{}
	for _, e := range problem.Catalogue() {
		if slices.Contains(codes, e.Code) {
			status := strconv.Itoa(e.Kind.Status())
			out[status] = strings.TrimPrefix(out[status]+"; "+prefix+"/problems/"+e.Code, "; ")
		}
	}
	return out
}

var notWord = regexp.MustCompile(`[^a-zA-Z]+`)

func operationID(r chain.Route) string {
	return strings.Trim(strings.ToLower(r.Method)+"_"+notWord.ReplaceAllString(strings.TrimPrefix(r.Path, "/v1/"), "_"), "_")
}

// parametersOf describes what a route takes from its path and its query.
func parametersOf(r chain.Route, schemas object) (parameters []object) {
	from := r.Params
	if from == nil {
		from = r.In
	}
	if from == nil {
		return nil
	}
	for _, f := range reflect.VisibleFields(from) {
		for _, in := range []string{"path", "query"} {
			if name := f.Tag.Get(in); name != "" {
				parameters = append(parameters, object{"name": name, "in": in, "required": in == "path", "schema": propertySchema(f, schemas, isAsked)})
			}
		}
	}
	return parameters
}

// hasBody reports whether a route reads a body: what it takes does not stand in the path or the query alone.
func hasBody(r chain.Route) bool {
	if r.In == nil || r.Params != nil {
		return r.In != nil
	}
	return parametersOf(r, object{}) == nil
}

// use is whether a type stands in a request or in an answer: it decides which of its members are required.
type use func(f reflect.StructField, jsonOptions string) bool

func isAsked(f reflect.StructField, _ string) bool           { return f.Tag.Get("required") == "true" }
func isGiven(_ reflect.StructField, jsonOptions string) bool { return jsonOptions != "omitempty" }

// reference puts the schema of a struct under its name and refers to it.
func reference(t reflect.Type, schemas object, in use) object {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if schemas[name] == nil {
		schemas[name] = object{} // before its fields, should they refer back
		schemas[name] = schemaOf(t, schemas, in)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// schemaOf describes the few kinds of types that our bodies are made of.
func schemaOf(t reflect.Type, schemas object, in use) object {
	switch {
	case t == reflect.TypeFor[identity.ID]():
		return object{"type": "string", "format": "uuid"}
	case t == reflect.TypeFor[given]():
		return object{"type": "string"}
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{"type": "object"}
	case t == reflect.TypeFor[netip.Prefix]():
		return object{"type": "string"}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), schemas, in)
	case t.Kind() == reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), schemas, in)}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return object{"type": "array", "items": reference(t.Elem(), schemas, in)}
		}
		return object{"type": "array", "items": schemaOf(t.Elem(), schemas, in)}
	case t.Kind() == reflect.Pointer:
		return reference(t.Elem(), schemas, in)
	case t.Kind() == reflect.Struct:
		return structSchema(t, schemas, in)
	default:
		return object{"type": "integer"}
	}
}

func structSchema(t reflect.Type, schemas object, in use) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := propertySchema(f, schemas, in)
		if in(f, options) {
			required = append(required, name)
			if f.Tag.Get("required") == "true" && f.Type.Kind() == reflect.String {
				property["minLength"] = 1 // an empty one is as good as none
			}
		}
		properties[name] = property
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	if choice, ok := reflect.Zero(t).Interface().(interface{ alternatives() [][]string }); ok {
		schema["anyOf"] = anyOf(choice.alternatives())
	}
	return schema
}

func propertySchema(f reflect.StructField, schemas object, in use) object {
	var property object
	if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[given]() && f.Tag.Get("query") == "" {
		property = reference(f.Type, schemas, in)
	} else {
		property = schemaOf(f.Type, schemas, in)
	}
	if f.Type == reflect.TypeFor[json.RawMessage]() && strings.HasSuffix(f.Tag.Get("json"), ",omitempty") {
		property["type"] = []string{"object", "null"} // a merge patch
	}
	if doc := f.Tag.Get("doc"); doc != "" {
		property["description"] = doc
	}
	if format := f.Tag.Get("format"); format != "" {
		property["format"] = format
	}
	for _, tag := range []string{"enum", "choices"} {
		if values, ok := f.Tag.Lookup(tag); ok {
			property["enum"] = strings.Split(values, ",")
		}
	}
	if most, err := strconv.Atoi(f.Tag.Get("maxLength")); err == nil {
		property["maxLength"] = most
	}
	return property
}

// alternatives are the members of which one group must be there, and nothing of the others.
func (verifyInput) alternatives() [][]string { return [][]string{{"token"}, {"email", "code"}} }

func anyOf(groups [][]string) (schemas []object) {
	for _, group := range groups {
		members := object{}
		for _, name := range slices.Concat(groups...) {
			if slices.Contains(group, name) {
				members[name] = object{"minLength": 1}
			} else {
				members[name] = false
			}
		}
		schemas = append(schemas, object{"required": group, "properties": members})
	}
	return schemas
}

func problemSchema() object {
	text := object{"type": "string"}
	field := object{"type": "object", "properties": object{"field": text, "code": text, "detail": text}, "required": []string{"field", "code", "detail"}, "additionalProperties": false}
	return object{
		"type": "object",
		"properties": object{
			"type":     object{"type": "string", "format": "uri-reference", "description": "Where the problem is documented; its last part is a stable code."},
			"title":    text,
			"status":   object{"type": "integer", "minimum": 400, "maximum": 599},
			"detail":   object{"type": "string", "description": "What to do, in a sentence. It never repeats what was sent."},
			"instance": object{"type": "string", "format": "uri", "description": "The request id, as it stands in the log."},
			"errors":   object{"type": "array", "items": field},
			"challenge": object{"type": "object", "description": "Of challenge-required: what to solve. Ours is proof of work in the format of ALTCHA: find the number up to maxnumber for which the hexadecimal SHA-256 of salt and number is challenge, and send base64 of {algorithm, challenge, number, salt, signature}.",
				"properties": object{"algorithm": text, "challenge": text, "maxnumber": object{"type": "integer"}, "salt": text, "signature": text}},
		},
		"required":             []string{"type", "title", "status", "detail"},
		"additionalProperties": false,
	}
}
