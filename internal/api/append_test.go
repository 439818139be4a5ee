package api

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
)

// FuzzAppendSession: the hot route answers, byte for byte, what encoding/json makes of the reply in the table of routes.
// So no name or address can end its string and say something else.
func FuzzAppendSession(f *testing.F) {
	for _, seed := range []string{
		"Ada", "", `","roles":["admin"],"x":"`, "\\", `\"`, "<script>&amp;", "\u2028\u2029", "\x00\x1f\x7f", "\xff\xfe", "é𝄞", "a\nb\tc",
	} {
		f.Add(seed, seed+"@example.org", "member", int64(1_700_000_000_123_456), int64(0))
	}
	f.Add("Ada", "ada@example.org", "", int64(-1), int64(253402300800_000_000)) // the year 10000
	f.Fuzz(func(t *testing.T, name, email, role string, created, seen int64) {
		s := sessions.Session{ID: identity.NewRandomID(), CreatedMicros: created, LastSeenMicros: seen, ExpiresMicros: seen, FreshMicros: created}
		p := sessions.Person{ID: identity.NewRandomID(), Email: email, DisplayName: name}
		if role != "" {
			p.Roles = []string{role, "admin"}
		}
		const token = "AZaz09-_.AZaz09-_"
		want, err := json.Marshal(describe(s, p, token))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		got := appendSession(nil, s, p, func(text []byte) []byte { return append(text, token...) })
		if !bytes.Equal(got, want) {
			t.Errorf("appendSession =\n%s, want\n%s", got, want)
		}
	})
}
