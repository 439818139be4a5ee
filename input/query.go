package input

import (
	"net/http"
	"reflect"
)

const maxQueryBytes = 8 << 10

// DecodeQuery reads the query string of the address, at most 8 KiB, and puts its fields into those of the struct T that
// have a `query:"name"` tag, as [DecodeForm] does with a form: each field stands once, an empty one counts as not sent,
// and one that T does not know is refused. Secrets do not belong there: addresses are written into logs and histories.
//
// The error is a 400, or a 422 that lists all faulty fields by name; with that, T holds what could be read.
func DecodeQuery[T any](r *http.Request) (T, error) {
	var out T
	if len(r.URL.RawQuery) > maxQueryBytes {
		return out, malformed("The query is longer than 8 KiB.")
	}
	query, err := parseValues(r.URL.RawQuery, "query")
	if err != nil {
		return out, err
	}
	err = decodeValues(reflect.ValueOf(&out).Elem(), query, "query", "")
	return out, err
}
