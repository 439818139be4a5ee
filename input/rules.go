package input

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ringwall/ringwall/internal/problem"
)

const maxFaults = 32 // a small body with ten thousand faults must not become a large answer

// note adds a fault, one to a name. An unknown name has none of its own, and so may stand beside another.
func note(faults []problem.Field, f problem.Field) []problem.Field {
	for _, other := range faults {
		if other.Name == f.Name && f.Code != "unknown" {
			return faults
		}
	}
	if len(faults) >= maxFaults {
		return faults
	}
	return append(faults, f)
}

type member struct {
	name  string
	field reflect.StructField
}

// members lists the fields of a struct that a request can name, those of embedded structs among them. Tag is "json",
// "form" or "query".
func members(t reflect.Type, tag string) []member {
	var found []member
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for _, inner := range members(f.Type, tag) {
				inner.field.Index = append([]int{i}, inner.field.Index...)
				found = append(found, inner)
			}
		case !f.IsExported() || name == "-":
		case name != "":
			found = append(found, member{name, f})
		case tag == "json":
			found = append(found, member{f.Name, f})
		}
	}
	return found
}

// rules walks a decoded value and notes every fault. Places that have a fault already are left alone: one word about
// each is enough.
type rules struct {
	tag      string
	faults   []problem.Field
	named    map[string]bool
	known    map[reflect.Type][]member // of types met before: a list has many of one
	patterns map[string]*regexp.Regexp
}

func checkRules(v reflect.Value, at, tag string, faults []problem.Field) ([]problem.Field, error) {
	r := &rules{tag: tag, faults: faults, named: map[string]bool{}, known: map[reflect.Type][]member{}, patterns: map[string]*regexp.Regexp{}}
	for _, f := range faults {
		r.named[f.Name] = true
	}
	err := r.value(v, at)
	return r.faults, err
}

func (r *rules) add(at, code, detail string) {
	if !r.named[at] {
		r.named[at] = true
		r.faults = note(r.faults, problem.Field{Name: at, Code: code, Detail: detail})
	}
}

func (r *rules) value(v reflect.Value, at string) error {
	if r.tag == "json" && r.named[at] {
		return nil // it was not read: what it lacks inside says nothing
	}
	if len(r.faults) >= maxFaults {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return r.value(v.Elem(), at)
		}
	case reflect.String:
		if strings.ContainsRune(v.String(), 0) {
			r.add(at, "characters", "Leave out the NUL character.")
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := r.value(v.Index(i), at+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
	case reflect.Map: // keys are the request's own words: a fault is told of the whole
		for key, value := range v.Seq2() {
			if err := r.value(key, at); err != nil {
				return err
			}
			if err := r.value(value, at); err != nil {
				return err
			}
		}
	case reflect.Struct:
		return r.fields(v, at)
	}
	return nil
}

func (r *rules) fields(v reflect.Value, at string) error {
	if isText(v.Type()) {
		return nil // it has checked itself
	}
	known, ok := r.known[v.Type()]
	if !ok {
		known = members(v.Type(), r.tag)
		r.known[v.Type()] = known
	}
	for _, m := range known {
		value := v.FieldByIndex(m.field.Index)
		place := m.name
		if r.tag == "json" {
			place = at + "/" + strings.ReplaceAll(strings.ReplaceAll(m.name, "~", "~0"), "/", "~1")
		}
		if err := r.field(m.field, value, place); err != nil {
			return err
		}
		if m.field.Tag.Get("anyText") == "true" {
			continue // a password: every code point counts, NUL too
		}
		if err := r.value(value, place); err != nil {
			return err
		}
	}
	return nil
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func (r *rules) field(f reflect.StructField, v reflect.Value, at string) error {
	if f.Tag.Get("required") == "true" && v.IsZero() {
		r.add(at, "required", "This field is required.")
		return nil
	}
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if err := r.number(f, v, at); err != nil {
		return err
	}
	return r.text(f, v, at)
}

// text holds a string to its length, its pattern and its choice. An empty one has nothing to be judged.
func (r *rules) text(f reflect.StructField, v reflect.Value, at string) error {
	if err := forText(f); err != nil {
		return err
	}
	least, err := length(f, "minLength", 0)
	if err != nil {
		return err
	}
	most, err := length(f, "maxLength", -1)
	if err != nil {
		return err
	}
	matches, err := r.pattern(f)
	if err != nil {
		return err
	}
	choice, isChoice := f.Tag.Lookup("enum")
	if v.Kind() != reflect.String || v.Len() == 0 {
		return nil
	}
	text := v.String()
	switch n := utf8.RuneCountInString(text); {
	case n < least:
		r.add(at, "too-short", fmt.Sprintf("Send at least %d characters.", least))
	case most >= 0 && n > most:
		r.add(at, "too-long", fmt.Sprintf("Send at most %d characters.", most))
	case isChoice && !slices.Contains(strings.Split(choice, ","), text):
		r.add(at, "choice", "Send one of these: "+strings.ReplaceAll(choice, ",", ", ")+".")
	case matches != nil && !matches.MatchString(text):
		r.add(at, "format", "This value is not written as it should be.")
	}
	return nil
}

// forText is an error if a tag for texts stands at something else, which nobody would hold to it: a list, a map, a number. The
// length of a text that checks itself is said for readers of the tags.
func forText(f reflect.StructField) error {
	kind := f.Type
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	for _, tag := range []string{"minLength", "maxLength", "pattern", "enum"} {
		_, there := f.Tag.Lookup(tag)
		if there && kind.Kind() != reflect.String && !(strings.HasSuffix(tag, "Length") && isText(kind)) {
			return fmt.Errorf("field %s: tag %s is for strings", f.Name, tag)
		}
	}
	return nil
}

// number holds a number to its range.
func (r *rules) number(f reflect.StructField, v reflect.Value, at string) error {
	for tag, side := range map[string]int{"minimum": -1, "maximum": 1} {
		limit, ok := f.Tag.Lookup(tag)
		if !ok {
			continue
		}
		order, err := compare(v, limit)
		if err != nil {
			return fmt.Errorf("field %s: tag %s: %w", f.Name, tag, err)
		}
		switch {
		case order*side <= 0:
		case side < 0:
			r.add(at, "too-small", "Send at least "+limit+".")
		default:
			r.add(at, "too-large", "Send at most "+limit+".")
		}
	}
	return nil
}

// compare is the order of a number and a limit, both as exact as the number's type. What was not sent is in order.
func compare(v reflect.Value, limit string) (int, error) {
	switch {
	case v.Kind() == reflect.Pointer:
		_, err := compare(reflect.Zero(v.Type().Elem()), limit)
		return 0, err
	case v.CanInt():
		n, err := strconv.ParseInt(limit, 10, 64)
		return cmp.Compare(v.Int(), n), err
	case v.CanUint():
		n, err := strconv.ParseUint(limit, 10, 64)
		return cmp.Compare(v.Uint(), n), err
	case v.CanFloat():
		n, err := strconv.ParseFloat(limit, 64)
		return cmp.Compare(v.Float(), n), err
	}
	return 0, errors.New("the field is no number")
}

// pattern is the regular expression of a field; nil if there is none.
func (r *rules) pattern(f reflect.StructField) (*regexp.Regexp, error) {
	text, ok := f.Tag.Lookup("pattern")
	if !ok || r.patterns[text] != nil {
		return r.patterns[text], nil
	}
	if _, err := regexp.Compile(text); err != nil { // by itself, so that no bracket of it can close the one below
		return nil, fmt.Errorf("field %s: tag pattern: %w", f.Name, err)
	}
	whole, err := regexp.Compile(`\A(?:` + text + `)\z`)
	r.patterns[text] = whole
	return whole, err
}

func length(f reflect.StructField, tag string, otherwise int) (int, error) {
	text, ok := f.Tag.Lookup(tag)
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("field %s: tag %s is not a length", f.Name, tag)
	}
	return n, nil
}
