// Package metadata holds what an application keeps about a person to its schema: three JSON objects, of which each has a
// JSON Schema of its own and takes nothing without one.
//
//	schemas, err := metadata.Parse(`{"own": {"properties": {"theme": {"enum": ["light", "dark"]}}, "additionalProperties": false}}`)
//	…
//	merged, changed, err := schemas.Merge(metadata.Own, "", stored, []byte(`{"theme": "dark"}`))
//
// Changes are merged as RFC 7396 says. What is stored is small ([MaxBytes]), shallow, without a member twice and without
// numbers that only a few programs can read, so that no validator can be made to work for long.
//
// It does not know who may read or write a part, and does not store anything.
package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ringwall/ringwall/internal/problem"
)

// Part is one of the three objects.
type Part string

// The parts: who may read and write them is the matter of package account.
const (
	Public  Part = "public"  // the person reads it
	Private Part = "private" // the person does not
	Own     Part = "own"     // the person writes it
)

// Parts lists all of them.
func Parts() []Part { return []Part{Public, Private, Own} }

const (
	// MaxBytes is how long a part may be, as it is stored.
	MaxBytes = 8 << 10

	maxSchemaBytes = 64 << 10
	maxDepth       = 16
)

// Schemas say what each part may hold. They never change and are safe for concurrent use.
type Schemas struct{ parts map[Part]*schema }

type schema struct {
	compiled *jsonschema.Schema
	names    map[string]bool // of members that the schema declares: the only ones that a fault may name
}

// Parse reads a JSON object whose members "public", "private" and "own" are JSON Schemas (2020-12, unless $schema says
// otherwise), at most 64 KiB. A part without one takes nothing; an empty text closes all three. References reach no file
// and no network: a schema refers to itself alone. Formats are checked, not only noted.
func Parse(text string) (*Schemas, error) {
	s := &Schemas{parts: map[Part]*schema{}}
	if text == "" {
		return s, nil
	}
	if len(text) > maxSchemaBytes {
		return nil, errors.New("the schemas are longer than 64 KiB")
	}
	raw := map[Part]jsontext.Value{}
	if err := jsonv2.Unmarshal([]byte(text), &raw); err != nil {
		return nil, errors.New("the schemas are no JSON object, or one of its objects holds a member twice")
	}
	for _, part := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(Parts(), part) {
			return nil, fmt.Errorf(`the schemas have a member %q: there are "public", "private" and "own"`, part)
		}
		compiled, err := compile(part, raw[part])
		if err != nil {
			return nil, fmt.Errorf("the schema of the part %s: %w", part, err)
		}
		s.parts[part] = compiled
	}
	return s, nil
}

// noLoader refuses every reference that leaves the schema.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a schema may refer to itself alone; copy what it needs into its $defs")
}

func compile(part Part, text []byte) (*schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	compiler.AssertFormat()
	at := "ringwall://schema/" + string(part)
	if err := compiler.AddResource(at, document); err != nil {
		return nil, err
	}
	compiled, err := compiler.Compile(at)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	declared(document, names)
	return &schema{compiled, names}, nil
}

// declared collects the names in every "properties" of a schema.
func declared(node any, names map[string]bool) {
	switch node := node.(type) {
	case map[string]any:
		if properties, ok := node["properties"].(map[string]any); ok {
			for name := range properties {
				names[name] = true
			}
		}
		for _, child := range node {
			declared(child, names)
		}
	case []any:
		for _, child := range node {
			declared(child, names)
		}
	}
}

// Merge changes a part as RFC 7396 says: members of the patch take the place of those with their name, null removes one,
// and what is left out stays. A patch that is null empties the part, whatever its schema requires. It returns the part as
// it is to be stored, in one spelling, and the names of the members of its first level that are now another. At is where
// the part stands in what was sent, for the faults. Problems: invalid.
func (s *Schemas) Merge(part Part, at string, current, patch []byte) (merged []byte, changed []string, err error) {
	at += "/" + string(part)
	if fault := inspect(patch); fault != nil {
		return nil, nil, refuse(problem.Field{Name: at, Code: fault.Code, Detail: fault.Detail})
	}
	old, err := members(current)
	if err != nil {
		return nil, nil, fmt.Errorf("read the part %s: %w", part, err)
	}
	switch jsontext.Value(patch).Kind() {
	case 'n':
		return []byte("{}"), differences(old, nil), nil
	case '{':
	default:
		return nil, nil, refuse(problem.Field{Name: at, Code: "type", Detail: "Send an object."})
	}
	rules := s.parts[part]
	if rules == nil {
		return nil, nil, refuse(problem.Field{Name: at, Code: "closed", Detail: "This service has no schema for this part, and takes nothing into it."})
	}
	if merged, err = mergePatch(current, patch); err != nil {
		return nil, nil, fmt.Errorf("merge the part %s: %w", part, err)
	}
	if len(merged) > MaxBytes {
		return nil, nil, refuse(problem.Field{Name: at, Code: "too-long", Detail: "Together with what is there already it is longer than 8 KiB."})
	}
	if faults := rules.check(at, merged); len(faults) > 0 {
		return nil, nil, refuse(faults...)
	}
	now, err := members(merged)
	return merged, differences(old, now), err
}

func refuse(fields ...problem.Field) error {
	return problem.New(problem.Invalid, "invalid", "The metadata does not fit.").With(fields...)
}

// members are those of an object; of nothing, none.
func members(object []byte) (map[string]jsontext.Value, error) {
	found := map[string]jsontext.Value{}
	if len(object) == 0 {
		return found, nil
	}
	return found, jsonv2.Unmarshal(object, &found)
}

func differences(old, now map[string]jsontext.Value) (names []string) {
	for name, value := range old {
		if kept, ok := now[name]; !ok || !bytes.Equal(kept, value) {
			names = append(names, name)
		}
	}
	for name := range now {
		if _, ok := old[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// mergePatch is MergePatch of RFC 7396, section 2, in one spelling: names sorted, no white space.
func mergePatch(target, patch jsontext.Value) (jsontext.Value, error) {
	if patch.Kind() != '{' {
		return respell(patch)
	}
	into := map[string]jsontext.Value{}
	if len(target) > 0 && target.Kind() == '{' {
		if err := jsonv2.Unmarshal(target, &into); err != nil {
			return nil, err
		}
	}
	changes, err := members(patch)
	if err != nil {
		return nil, err
	}
	for name, value := range changes {
		if value.Kind() == 'n' {
			delete(into, name)
			continue
		}
		if into[name], err = mergePatch(into[name], value); err != nil {
			return nil, err
		}
	}
	return jsonv2.Marshal(into, jsonv2.Deterministic(true))
}

// respell gives a value that is no object the spelling in which it is stored: numbers as they were written.
func respell(value jsontext.Value) (jsontext.Value, error) {
	if value.Kind() != '[' {
		return value, nil
	}
	var list []jsontext.Value
	if err := jsonv2.Unmarshal(value, &list); err != nil {
		return nil, err
	}
	for i, element := range list {
		var err error
		if element.Kind() == '{' {
			list[i], err = mergeWhole(element)
		} else {
			list[i], err = respell(element)
		}
		if err != nil {
			return nil, err
		}
	}
	return jsonv2.Marshal(list)
}

// mergeWhole respells an object in a list, where null is a value like any other.
func mergeWhole(object jsontext.Value) (jsontext.Value, error) {
	found, err := members(object)
	for name, value := range found {
		if err != nil {
			return nil, err
		}
		if value.Kind() == '{' {
			found[name], err = mergeWhole(value)
		} else {
			found[name], err = respell(value)
		}
	}
	if err != nil {
		return nil, err
	}
	return jsonv2.Marshal(found, jsonv2.Deterministic(true))
}

// Text is a stored part as an answer shows it: an object, empty if nothing was stored.
func Text(stored []byte) json.RawMessage {
	if len(stored) == 0 {
		return json.RawMessage("{}")
	}
	return json.RawMessage(stored)
}
