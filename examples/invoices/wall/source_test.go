package wall_test

import (
	"strings"
	"testing"

	"github.com/ringwall/ringwall/examples/invoices/wall"
)

// Every layer says where it is done, and there is such code; so does every twin.
func TestEveryLayerShowsItsCode(t *testing.T) {
	module, err := wall.Module()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range wall.Layers() {
		places := l.Code
		if len(places) == 0 {
			t.Errorf("%s names no code", l.ID)
		}
		if l.Unsafe != "" {
			places = append(places, l.Unsafe)
		}
		sources, err := wall.Sources(module, places...)
		if err != nil {
			t.Errorf("%s: %v", l.ID, err)
		}
		for _, s := range sources {
			if s.First >= s.Last || strings.TrimSpace(s.Text) == "" {
				t.Errorf("%s: %s:%d-%d is no code", l.ID, s.File, s.First, s.Last)
			}
		}
	}
}

// What rings.json calls a layer is one, and what it declares is whole.
func TestRingsAreDeclared(t *testing.T) {
	classes, err := wall.Classes()
	if err != nil {
		t.Fatal(err)
	}
	if len(classes) < 17 {
		t.Errorf("%d classes, want the 17 of the issue", len(classes))
	}
	for _, c := range classes {
		if c.Name == "" || !strings.HasSuffix(c.Harm, ".") {
			t.Errorf("%s: name %q, harm %q: want both, the harm as a sentence", c.ID, c.Name, c.Harm)
		}
		if len(c.Stops) < 2 {
			t.Errorf("%s: %d layers stop it, want two at least", c.ID, len(c.Stops))
		}
	}
}
