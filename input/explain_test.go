package input_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/input"
)

// A page shows faults beside its fields: it must learn them without parsing a document, and never what was typed.
func TestExplain(t *testing.T) {
	type form struct {
		Name string `form:"name" required:"true"`
		Note string `form:"note" maxLength:"3"`
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader("note=secret"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err := input.DecodeForm[form](r)
	want := input.Refusal{
		Status: 422, Code: "invalid", Title: "A field breaks a rule", Detail: "Some fields break a rule; errors names each with what would pass.",
		Fields: []input.FieldFault{{"name", "required", "This field is required."}, {"note", "too-long", "Send at most 3 characters."}},
	}
	if diff := cmp.Diff(want, input.Explain(err)); diff != "" {
		t.Errorf("Explain (-want +got):\n%s", diff)
	}
	if got := input.Explain(errors.New("dial tcp 10.0.0.1: secret")); got.Status != 500 || got.Code != "internal" || strings.Contains(got.Detail, "secret") {
		t.Errorf("Explain of somebody else's error = %+v, want a 500 that explains nothing", got)
	}
}
