package api

import (
	"encoding/json"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
)

// appendSession appends what encoding/json makes of a [sessionReply], byte for byte (a test holds the two together), with
// the line break that ends every answer. The tokens are those that appendToken appends: they need no escapes.
func appendSession(text []byte, s sessions.Session, p sessions.Person, appendToken func([]byte) []byte) []byte {
	text = append(text, `{"user":{"id":"`...)
	text = appendID(text, p.ID)
	text = append(text, `","email":`...)
	text = appendText(text, p.Email)
	text = append(text, `,"display_name":`...)
	text = appendText(text, p.DisplayName)
	text = append(text, `,"roles":[`...)
	for i, role := range p.Roles {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendText(text, role)
	}
	text = append(text, `]},"session":{"id":"`...)
	text = appendID(text, s.ID)
	text = append(text, `","created_at":"`...)
	text = appendTime(text, s.CreatedMicros)
	text = append(text, `","last_seen_at":"`...)
	text = appendTime(text, s.LastSeenMicros)
	text = append(text, `","expires_at":"`...)
	text = appendTime(text, s.ExpiresMicros)
	text = append(text, `","fresh_until":"`...)
	text = appendTime(text, s.FreshMicros)
	text = append(text, `"},"csrf_token":"`...)
	text = appendToken(text)
	return append(text, "\"}\n"...)
}

func appendID(text []byte, id identity.ID) []byte {
	const digits = "0123456789abcdef"
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = append(text, digits[b>>4], digits[b&15])
	}
	return text
}

func appendTime(text []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(text, time.RFC3339)
}

// appendText appends a JSON string. What has to be escaped is left to encoding/json.
func appendText(text []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, err := json.Marshal(s)
			if err != nil { // cannot happen: every string marshals
				return append(text, `""`...)
			}
			return append(text, escaped...)
		}
	}
	text = append(text, '"')
	text = append(text, s...)
	return append(text, '"')
}
