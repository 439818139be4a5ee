package web

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// noteLife is how long a browser keeps its note: as long as a mailed code works.
const noteLife = 10 * time.Minute

// note carries the address just typed over a redirect, in a cookie: in the URL it would end up in histories and logs.
// It is sealed, so that nobody reads it out of a cookie jar or writes another; nothing trusts it beyond prefilling.
type note struct {
	Email    string `json:"email"`
	ReturnTo string `json:"return_to,omitempty"`
}

func (v *visit) note(n note) {
	raw, err := json.Marshal(n)
	if err == nil {
		err = v.web.notes.Set(v.w.Header(), base64.RawURLEncoding.EncodeToString(v.web.Seal(raw)), noteLife)
	}
	if err != nil { // too large for a cookie: the next page asks for the address instead
		v.forget()
	}
}

// noted is the browser's note; empty if there is none or it is not one of ours.
func (v *visit) noted() note {
	var n note
	value, err := v.web.notes.Read(v.r)
	if err != nil {
		return n
	}
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return n
	}
	raw, err := v.web.Open(sealed)
	if err != nil || json.Unmarshal(raw, &n) != nil {
		return note{}
	}
	if len(n.Email) > 254 || !utf8.ValidString(n.Email) || strings.ContainsFunc(n.Email, func(c rune) bool { return c < ' ' }) {
		n.Email = ""
	}
	n.ReturnTo = v.returnPath(n.ReturnTo)
	return n
}

// keepAddress leaves only the address in the note, for the sign-in that follows.
func (v *visit) keepAddress() {
	n := v.noted()
	if n.Email == "" {
		v.forget()
		return
	}
	v.note(note{Email: n.Email})
}

func (v *visit) forget() { v.web.notes.Delete(v.w.Header()) }
