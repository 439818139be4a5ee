package metadata

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ringwall/ringwall/internal/problem"
)

const (
	mostFaults   = 20
	longNumber   = 40
	mostExponent = 308 // of a float64
)

type fault struct{ Code, Detail string }

// inspect reads a value once before anything else does: it is one JSON value in UTF-8, no object in it has a member
// twice, it is not deep, and its numbers are those of ordinary programs. A number such as 1e999999999 is short, and
// fills the memory of whoever computes with it.
func inspect(text []byte) *fault {
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	for values := 0; ; {
		token, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && values == 1:
			return nil
		case err != nil:
			return &fault{"malformed", "Send one JSON value, in which no object has a member twice."}
		case decoder.StackDepth() > maxDepth:
			return &fault{"too-deep", "Nest at most sixteen levels."}
		case token.Kind() == '0' && !isOrdinary(token.String()):
			return &fault{"number", "Send numbers of at most forty digits that fit into a float64."}
		}
		if decoder.StackDepth() == 0 {
			values++
		}
		if values > 1 {
			return &fault{"malformed", "Send one JSON value, and nothing after it."}
		}
	}
}

func isOrdinary(number string) bool {
	if len(number) > longNumber {
		return false
	}
	at := strings.IndexAny(number, "eE")
	if at >= 0 {
		exponent, err := strconv.Atoi(number[at+1:])
		if err != nil || exponent > mostExponent || exponent < -mostExponent {
			return false
		}
	}
	_, err := strconv.ParseFloat(number, 64)
	return err == nil
}

// check holds a part against its schema. Of the members that the schema does not declare no fault tells a name.
func (s *schema) check(at string, text []byte) []problem.Field {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = s.compiled.Validate(value)
	}
	if err == nil {
		return nil
	}
	broken, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []problem.Field{{Name: at, Code: "schema", Detail: "This does not fit the schema."}}
	}
	return s.faults(at, broken, nil)
}

// faults lists the leaves: the rules that were broken, not those that only hold them together.
func (s *schema) faults(at string, broken *jsonschema.ValidationError, found []problem.Field) []problem.Field {
	for _, cause := range broken.Causes {
		found = s.faults(at, cause, found)
	}
	if len(broken.Causes) > 0 || len(found) >= mostFaults {
		return found
	}
	code := "schema"
	if keywords := broken.ErrorKind.KeywordPath(); len(keywords) > 0 {
		code = keywords[0]
	}
	return append(found, problem.Field{Name: s.pointer(at, broken.InstanceLocation), Code: code, Detail: "This breaks the rule " + code + " of the schema."})
}

// pointer walks to a fault as far as the names are the schema's own.
func (s *schema) pointer(at string, location []string) string {
	for _, name := range location {
		if _, err := strconv.ParseUint(name, 10, 16); err != nil && !s.names[name] {
			break
		}
		at += string(jsontext.Pointer("").AppendToken(name))
	}
	return at
}
