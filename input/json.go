package input

import (
	"bytes"
	"encoding"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ringwall/ringwall/internal/problem"
)

const maxDepth = 16

// DecodeJSON reads the body as one JSON value and checks it against T: its types, its members and the rules in its tags.
// It is strict where parsers differ, because an attack lives in the difference: no unknown member, no member twice,
// names match in every letter, null only where Go has a nil, UTF-8 throughout, no byte order mark, at most sixteen
// levels, nothing after the value. LimitBytes is the longest body; zero or less means [MaxBodyBytes]. A T without fields
// takes an empty body too, and then needs no content type.
//
// The error is a 400, 408, 413, 415 or 422; a 422 lists all fields that break a rule, by JSON pointer. Tags that make no
// sense are an error that [Refuse] answers with 500.
func DecodeJSON[T any](r *http.Request, limitBytes int64) (T, error) {
	var out, none T
	declared := len(r.Header["Content-Type"]) > 0
	if declared || !isEmptyStruct(reflect.TypeFor[T]()) {
		if err := checkType(r, "application/json"); err != nil {
			return none, err
		}
	}
	body, err := readBody(r, limitBytes)
	if err != nil {
		return none, err
	}
	if len(body) == 0 && isEmptyStruct(reflect.TypeFor[T]()) {
		return out, nil
	}
	if !declared {
		return none, checkType(r, "application/json")
	}
	if err := unmarshal(body, &out); err != nil {
		return none, err
	}
	return out, nil
}

func isEmptyStruct(t reflect.Type) bool { return t.Kind() == reflect.Struct && t.NumField() == 0 }

func unmarshal(body []byte, out any) error {
	switch {
	case len(body) == 0:
		return malformed("The body is empty: send one JSON value.")
	case bytes.HasPrefix(body, []byte("\uFEFF")):
		return malformed("The body begins with a byte order mark: send UTF-8 without one.")
	case !utf8.Valid(body):
		return malformed("The body is not UTF-8.")
	case isTooDeep(body):
		return malformed("The body nests deeper than sixteen levels.")
	}
	root := reflect.TypeOf(out).Elem()
	seen := &inspector{root: root}
	err := json.Unmarshal(body, out,
		json.RejectUnknownMembers(true),
		json.WithUnmarshalers(json.UnmarshalFromFunc(seen.value)))
	if err != nil {
		return explain(err, root, seen.faults)
	}
	faults, err := checkRules(reflect.ValueOf(out).Elem(), "", "json", seen.faults)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return invalid(faults)
	}
	return nil
}

// isTooDeep counts before any parser recurses. On text that is not JSON it may count wrong, which the parser finds out.
func isTooDeep(body []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// inspector sees each value before the decoder does and notes faults instead of stopping at the first.
type inspector struct {
	root   reflect.Type
	faults []problem.Field
}

func (s *inspector) value(dec *jsontext.Decoder, v any) error {
	t := reflect.TypeOf(v).Elem()
	kind := dec.PeekKind()
	if kind == 0 { // not JSON, which the decoder explains
		return errors.ErrUnsupported
	}
	text, isText := v.(encoding.TextUnmarshaler)
	want := wants(t, v, isText)
	switch {
	case want.kinds == "":
		return errors.ErrUnsupported // decodes itself, or may hold anything
	case !strings.ContainsRune(want.kinds, rune(kind)):
		if err := dec.SkipValue(); err != nil {
			return err
		}
		s.add(dec, &Fault{"type", want.mend})
		return nil
	case !isText:
		return errors.ErrUnsupported
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if err := text.UnmarshalText([]byte(token.String())); err != nil {
		s.add(dec, faultOf(err))
	}
	return nil
}

// add notes a fault where the decoder stands. Where that is takes a while to tell, so not for more than are told.
func (s *inspector) add(dec *jsontext.Decoder, f *Fault) {
	if len(s.faults) >= maxFaults {
		return
	}
	at, _ := locate(s.root, dec.StackPointer())
	s.faults = note(s.faults, problem.Field{Name: at, Code: f.Code, Detail: f.Detail})
}

func faultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{"format", "This value is not written as it should be."}
}

type wanted struct{ kinds, mend string } // kinds as jsontext spells them

func wants(t reflect.Type, v any, isText bool) wanted {
	if isText {
		return wanted{`"`, "Send a string."}
	}
	switch v.(type) {
	case json.UnmarshalerFrom, json.Unmarshaler:
		return wanted{}
	}
	switch t.Kind() {
	case reflect.String:
		return wanted{`"`, "Send a string."}
	case reflect.Bool:
		return wanted{"tf", "Send true or false."}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return wanted{"0", "Send a number."}
	case reflect.Struct:
		return wanted{"{", "Send an object."}
	case reflect.Map:
		return wanted{"{n", "Send an object."}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return wanted{`"n`, "Send a string of base64."}
		}
		return wanted{"[n", "Send a list."}
	default:
		return wanted{}
	}
}

// explain gives an error of the decoder its public face. Names that the request made up are cut off.
func explain(err error, root reflect.Type, faults []problem.Field) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		at, known := locate(root, semantic.JSONPointer)
		fault := &Fault{"type", "This value does not fit: another type, or out of range."}
		if errors.Is(semantic.Err, json.ErrUnknownName) {
			fault = &Fault{"unknown", "There is a member here that this call does not know. Known are: " + strings.Join(known, ", ") + "."}
			if len(known) == 0 {
				fault = &Fault{"unknown", "This call takes no members: send nothing, or an empty object."}
			}
		} else if own, ok := errors.AsType[*Fault](semantic.Err); ok {
			fault = own
		}
		return invalid(note(faults, problem.Field{Name: at, Code: fault.Code, Detail: fault.Detail}))
	}
	// The cause stays out of the log: it quotes the body.
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return malformed("An object holds the same member twice.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("The body ends in the middle of a value.")
	default:
		return malformed("The body is not one JSON value in UTF-8, with nothing after it.")
	}
}

// locate walks the pointer through the type as far as the names are ours. It returns that far, and the names known
// there.
func locate(t reflect.Type, pointer jsontext.Pointer) (at string, known []string) {
	for token := range pointer.Tokens() {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Slice, reflect.Array:
			t = t.Elem()
		case reflect.Struct:
			next, ok := memberType(t, token)
			if !ok {
				return at, memberNames(t)
			}
			t = next
		default:
			return at, nil
		}
		at += string(jsontext.Pointer("").AppendToken(token))
	}
	return at, nil
}

func memberType(t reflect.Type, name string) (reflect.Type, bool) {
	for _, f := range members(t, "json") {
		if f.name == name {
			return f.field.Type, true
		}
	}
	return nil, false
}

func memberNames(t reflect.Type) []string {
	var names []string
	for _, f := range members(t, "json") {
		names = append(names, f.name)
	}
	return names
}
