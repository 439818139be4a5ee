package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const mask = "Secret(…)"

// Text is a secret that cannot print, log or encode itself. The zero Text is empty.
// Two Texts cannot be compared with ==: that would tell through time how far they agree. Use [Text.Equal].
type Text struct {
	_      [0]func()
	hidden *string // behind a pointer: fmt does not call methods on unexported fields of others, and would print a string
}

// NewText wraps a secret.
func NewText(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{hidden: &text}
}

// Reveal is the secret itself. Search for Reveal to review every use.
func (t Text) Reveal() string {
	if t.hidden == nil {
		return ""
	}
	return *t.hidden
}

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t.hidden == nil }

// Equal compares in a time that depends on the lengths only.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String hides the secret.
func (t Text) String() string { return mask }

// GoString hides the secret.
func (t Text) GoString() string { return mask }

// Format hides the secret from every verb of fmt.
func (t Text) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, mask) }

// LogValue hides the secret.
func (t Text) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText hides the secret, also in JSON.
func (t Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// String hides the key.
func (m MasterKey) String() string { return mask }

// GoString hides the key.
func (m MasterKey) GoString() string { return mask }

// Format hides the key from every verb of fmt.
func (m MasterKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, mask) }

// LogValue hides the key.
func (m MasterKey) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText hides the key, also in JSON.
func (m MasterKey) MarshalText() ([]byte, error) { return []byte(mask), nil }

// String hides the keys.
func (k Keyring) String() string { return mask }

// GoString hides the keys.
func (k Keyring) GoString() string { return mask }

// Format hides the keys from every verb of fmt.
func (k Keyring) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, mask) }

// LogValue hides the keys.
func (k Keyring) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText hides the keys, also in JSON.
func (k Keyring) MarshalText() ([]byte, error) { return []byte(mask), nil }
