package secret_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/secret"
)

// Whatever is done with them, secrets do not come out: not through a verb, nor a logger, nor from an unexported field,
// where fmt cannot call String.
func TestSecretsDoNotPrint(t *testing.T) {
	text := "correct-horse-battery"
	key := master(t, masterHex)
	store := &memory{}
	ring := keyring(t, store, "test")
	type outer struct {
		Text    secret.Text
		Key     secret.MasterKey
		Ring    *secret.Keyring
		text    secret.Text
		key     secret.MasterKey
		ring    *secret.Keyring
		keyring secret.Keyring
	}
	o := outer{secret.NewText(text), key, ring, secret.NewText(text), key, ring, *ring}
	values := []any{
		o.Text, &o.Text, key, &key, ring, *ring, o, &o, []secret.Text{o.Text}, map[string]secret.Text{"a": o.Text},
		[]any{key, ring}, struct{ e error }{fmt.Errorf("x %v", key)},
	}
	raw := []byte{0x8f, 0x1d, 0x0a, 0xc4, 0xb7, 0xe2, 0x93, 0x50}
	var out strings.Builder
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%p", "%t", "%z", "% x", "%T", "%10.3s", "%e"} {
			_, _ = fmt.Fprintf(&out, verb+"\n", v)
		}
		_, _ = fmt.Fprint(&out, v)
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("x", "value", v, slog.Group("g", "value", v))
		}
		encoded, err := json.Marshal(v)
		_, _ = fmt.Fprintf(&out, "%s %v", encoded, err)
	}
	printed := out.String()
	leaks := []string{text, "horse", masterHex[:12], strings.ToUpper(masterHex[:12]), string(raw), fmt.Sprint(raw)[1:20], fmt.Sprintf("%x", text), fmt.Sprintf("%d", []byte(text))[1:20], "hmac", "gcm"}
	for _, leak := range leaks {
		if strings.Contains(printed, leak) {
			i := strings.Index(printed, leak)
			t.Errorf("%q came out: …%s…", leak, printed[max(0, i-80):min(len(printed), i+80)])
		}
	}
	if !strings.Contains(printed, "Secret(…)") {
		t.Error("nothing says that a secret was hidden")
	}
}

func TestTextEqual(t *testing.T) {
	a := secret.NewText("a")
	if !a.Equal(secret.NewText("a")) || a.Equal(secret.NewText("b")) || a.Equal(secret.Text{}) || !(secret.Text{}).Equal(secret.NewText("")) {
		t.Error("Equal does not compare the texts")
	}
	if !secret.NewText("").IsZero() || a.IsZero() || (secret.Text{}).Reveal() != "" || a.Reveal() != "a" {
		t.Error("IsZero or Reveal is wrong")
	}
}
