package input

import (
	"encoding"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ringwall/ringwall/internal/problem"
)

const (
	formType      = "application/x-www-form-urlencoded"
	maxFormFields = 100
	tokenField    = "csrf_token" // belongs to package csrf, in every form
)

// Form reads the body as an HTML form (application/x-www-form-urlencoded, at most [MaxBodyBytes]) in which each field
// stands once. The query string is never part of it. The result is also put into r.PostForm and r.Form, so that it can
// be read again, here or elsewhere. The error is a 400, 408, 413 or 415.
func Form(r *http.Request) (url.Values, error) {
	if err := checkType(r, formType); err != nil {
		return nil, err
	}
	if r.PostForm != nil {
		return r.PostForm, checkValues(r.PostForm, "form")
	}
	body, err := readBody(r, MaxBodyBytes)
	if err != nil {
		return nil, err
	}
	form, err := parseValues(string(body), "form")
	if err != nil {
		return nil, err
	}
	r.PostForm, r.Form = form, form
	return form, nil
}

// parseValues reads what is urlencoded: a form or a query, as it is called in refusals.
func parseValues(text, what string) (url.Values, error) {
	if strings.Count(text, "&") >= maxFormFields {
		return nil, malformed("The " + what + " has more than a hundred fields.")
	}
	if strings.Contains(text, ";") { // a separator to some parsers; browsers encode it
		return nil, malformed("The " + what + " holds a semicolon that is not encoded.")
	}
	values := make(url.Values)
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || name == "" {
			return nil, malformed("The " + what + " has a field without a readable name.")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, malformed("The " + what + " has a value that is not encoded as it should be.")
		}
		values[name] = append(values[name], value)
	}
	return values, checkValues(values, what)
}

func checkValues(values url.Values, what string) error {
	for name, list := range values {
		if len(list) != 1 {
			return malformed("The " + what + " holds the same field twice.")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(list[0]) {
			return malformed("The " + what + " is not UTF-8.")
		}
	}
	return nil
}

// DecodeForm reads the body with [Form] and puts its fields into those of the struct T that have a `form:"name"` tag:
// strings, bools (a ticked box), whole numbers, what implements [encoding.TextUnmarshaler], and pointers to these. An empty
// field counts as not sent.
// A field that T does not know is refused, but for csrf_token, which package csrf reads.
//
// With a 422, which lists all faulty fields by name, T holds what could be read, so that the page can show it again.
func DecodeForm[T any](r *http.Request) (T, error) {
	var out T
	form, err := Form(r)
	if err != nil {
		return out, err
	}
	err = decodeValues(reflect.ValueOf(&out).Elem(), form, "form", tokenField)
	return out, err
}

// decodeValues puts values into the fields of a struct that have a tag with their name, and holds them to their rules.
// Alien is a name that belongs to somebody else.
func decodeValues(v reflect.Value, values url.Values, tag, alien string) error {
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("decode %s: %s is not a struct", tag, v.Type())
	}
	var faults []problem.Field
	known := map[string]bool{alien: true}
	var names []string
	for _, m := range members(v.Type(), tag) {
		known[m.name] = true
		names = append(names, m.name)
		text := values.Get(m.name)
		if text == "" {
			continue
		}
		fault, err := setField(v.FieldByIndex(m.field.Index), text)
		if err != nil {
			return fmt.Errorf("decode %s: field %s: %w", tag, m.field.Name, err)
		}
		if fault != nil {
			faults = append(faults, problem.Field{Name: m.name, Code: fault.Code, Detail: fault.Detail})
		}
	}
	for name := range values {
		if !known[name] {
			detail := "There is a field that this " + tag + " does not know. Known are: " + strings.Join(names, ", ") + "."
			faults = append(faults, problem.Field{Code: "unknown", Detail: detail})
			break
		}
	}
	faults, err := checkRules(v, "", tag, faults)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return invalid(faults)
	}
	return nil
}

func setField(v reflect.Value, text string) (*Fault, error) {
	if target, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := target.UnmarshalText([]byte(text)); err != nil {
			return faultOf(err), nil
		}
		return nil, nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return setField(v.Elem(), text)
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch text {
		case "on", "true", "1":
			v.SetBool(true)
		case "off", "false", "0":
		default:
			return &Fault{"type", "Tick the box or leave it."}, nil
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return &Fault{"type", "Write a whole number."}, nil
		}
		v.SetInt(n)
	default:
		return nil, fmt.Errorf("type %s cannot come from text", v.Type())
	}
	return nil, nil
}
