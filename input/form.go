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
		return r.PostForm, checkForm(r.PostForm)
	}
	body, err := readBody(r, MaxBodyBytes)
	if err != nil {
		return nil, err
	}
	form, err := parseForm(string(body))
	if err != nil {
		return nil, err
	}
	r.PostForm, r.Form = form, form
	return form, nil
}

func parseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxFormFields {
		return nil, malformed("The form has more than a hundred fields.")
	}
	if strings.Contains(body, ";") { // a separator to some parsers; browsers encode it
		return nil, malformed("The form holds a semicolon that is not encoded.")
	}
	form := make(url.Values)
	for body != "" {
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || name == "" {
			return nil, malformed("The form has a field without a readable name.")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, malformed("The form has a value that is not encoded as it should be.")
		}
		form[name] = append(form[name], value)
	}
	return form, checkForm(form)
}

func checkForm(form url.Values) error {
	for name, values := range form {
		if len(values) != 1 {
			return malformed("The form holds the same field twice.")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return malformed("The form is not UTF-8.")
		}
	}
	return nil
}

// DecodeForm reads the body with [Form] and puts its fields into those of the struct T that have a `form:"name"` tag:
// strings, bools (a ticked box), ints and what implements [encoding.TextUnmarshaler]. An empty field counts as not sent.
// A field that T does not know is refused, but for csrf_token, which package csrf reads.
//
// With a 422, which lists all faulty fields by name, T holds what could be read, so that the page can show it again.
func DecodeForm[T any](r *http.Request) (T, error) {
	var out T
	form, err := Form(r)
	if err != nil {
		return out, err
	}
	v := reflect.ValueOf(&out).Elem()
	if v.Kind() != reflect.Struct {
		return out, fmt.Errorf("decode form: %s is not a struct", v.Type())
	}
	var faults []problem.Field
	known := map[string]bool{tokenField: true}
	var names []string
	for _, m := range members(v.Type(), "form") {
		known[m.name] = true
		names = append(names, m.name)
		text := form.Get(m.name)
		if text == "" {
			continue
		}
		fault, err := setField(v.FieldByIndex(m.field.Index), text)
		if err != nil {
			return out, fmt.Errorf("decode form: field %s: %w", m.field.Name, err)
		}
		if fault != nil {
			faults = append(faults, problem.Field{Name: m.name, Code: fault.Code, Detail: fault.Detail})
		}
	}
	for name := range form {
		if !known[name] {
			detail := "There is a field that this form does not know. Known are: " + strings.Join(names, ", ") + "."
			faults = append(faults, problem.Field{Code: "unknown", Detail: detail})
			break
		}
	}
	faults, err = checkRules(v, "", "form", faults)
	if err != nil {
		return out, err
	}
	if len(faults) > 0 {
		return out, invalid(faults)
	}
	return out, nil
}

func setField(v reflect.Value, text string) (*Fault, error) {
	if target, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := target.UnmarshalText([]byte(text)); err != nil {
			return faultOf(err), nil
		}
		return nil, nil
	}
	switch v.Kind() {
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
		return nil, fmt.Errorf("type %s cannot come from a form", v.Type())
	}
	return nil, nil
}
