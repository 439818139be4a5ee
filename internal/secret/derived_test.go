package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ringwall/ringwall/internal/secret"
)

func TestDerivedOpensOnlyWithItsText(t *testing.T) {
	derived := func(text, use string) secret.Derived {
		d, err := secret.Derive(secret.NewText(text), use)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := derived("a text of somebody else", "answers")
	sealed := d.Seal("row 1", []byte("plain"))
	if got, err := derived("a text of somebody else", "answers").Open("row 1", sealed); err != nil || string(got) != "plain" {
		t.Errorf("Open = %q, %v, want what was sealed", got, err)
	}
	if bytes.Contains(sealed, []byte("plain")) || bytes.Equal(sealed, d.Seal("row 1", []byte("plain"))) {
		t.Error("a sealed text shows what it is, or is the same twice")
	}
	for name, open := range map[string]func() ([]byte, error){
		"another text": func() ([]byte, error) { return derived("a text of somebody", "answers").Open("row 1", sealed) },
		"another use":  func() ([]byte, error) { return derived("a text of somebody else", "others").Open("row 1", sealed) },
		"another row":  func() ([]byte, error) { return d.Open("row 2", sealed) },
		"a cut":        func() ([]byte, error) { return d.Open("row 1", sealed[:len(sealed)-1]) },
		"nothing":      func() ([]byte, error) { return d.Open("row 1", nil) },
	} {
		if got, err := open(); !errors.Is(err, secret.ErrUnopenable) {
			t.Errorf("%s opens it: %q, %v", name, got, err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := d.Open("row 1", changed); err == nil {
			t.Errorf("it opens with byte %d flipped", i)
		}
	}
	if bytes.Equal(d.MAC([]byte("ab"), []byte("c")), d.MAC([]byte("a"), []byte("bc"))) || bytes.Equal(d.MAC([]byte("a")), derived("another text", "answers").MAC([]byte("a"))) {
		t.Error("two lists of parts, or two texts, have one MAC")
	}
	if shown := fmt.Sprintf("%+v %#v", struct{ d secret.Derived }{d}, d); len(shown) > 200 {
		t.Errorf("it prints %s", shown)
	}
}
