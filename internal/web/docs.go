package web

import (
	"encoding"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
)

// Operation is one call of the API, as the readable page shows it.
type Operation struct {
	Method, Path string // the path with the prefix
	Summary      string
	Rule         string // who may call it
	Status       int    // of success
	In, Out      []Member
	Errors       []string // problem codes
}

// Member is one member of a JSON object.
type Member struct {
	Name, Type string
	Optional   bool
}

// OperationOf describes a route of the API from the table.
func OperationOf(route chain.Route, prefix string) Operation {
	path := route.Path
	if !strings.HasPrefix(path, "/.well-known/") {
		path = prefix + path
	}
	return Operation{
		Method: route.Method, Path: path, Summary: route.Summary, Rule: route.Rule.String(),
		Status: route.Status, In: membersOf(route.In), Out: membersOf(route.Out), Errors: route.Errors,
	}
}

func membersOf(t reflect.Type) []Member {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var members []Member
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			members = append(members, membersOf(f.Type)...)
		case f.IsExported() && name != "" && name != "-":
			optional := strings.Contains(options, "omit") || f.Type.Kind() == reflect.Pointer
			members = append(members, Member{Name: name, Type: typeName(f.Type), Optional: optional})
		}
	}
	return members
}

// typeName is what JSON calls a Go type.
func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[identity.ID]():
		return "uuid"
	}
	if t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice, reflect.Array:
		return "list of " + typeName(t.Elem())
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	default:
		return "number"
	}
}

// docs answers GET /docs.
func (v *visit) docs() {
	p := v.page("docs")
	p.Wide = true
	p.Body = v.web.Operations()
	v.show(http.StatusOK, p)
}
