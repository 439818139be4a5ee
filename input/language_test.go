package input_test

import (
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
)

func TestLanguage(t *testing.T) {
	for _, tt := range []struct{ name, asked, want string }{
		{"takes the first where nothing is asked", "", "en"},
		{"takes what is asked", "de", "de"},
		{"knows regions", "de-AT,en;q=0.5", "de"},
		{"obeys the weights", "en;q=0.3, de;q=0.9", "de"},
		{"passes over what there is not", "fr, es;q=0.9, de;q=0.1", "de"},
		{"takes the first for what it cannot read", "\x00;;;q=,", "en"},
		{"does not parse what no browser sends", strings.Repeat("de,", 500), "en"},
	} {
		if got := input.Language(tt.asked, "en", "de"); got != tt.want {
			t.Errorf("%s: Language(%.40q) = %q, want %q", tt.name, tt.asked, got, tt.want)
		}
	}
}
