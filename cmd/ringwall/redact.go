package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// Secrets have types that cannot print themselves. This is the second layer, for the day on which somebody logs plain text.

const hidden = "[hidden]"

// looksSecret has the shapes of our secrets: session tokens and longer hexadecimal runs, password hashes, passwords in addresses, tokens
// in links and headers, private keys. A shorter run, such as the head of the audit log, passes.
var looksSecret = regexp.MustCompile(`[0-9A-Fa-f]{96,}` +
	`|\$(argon2(id|i|d)|2[abxy]|scrypt|pbkdf2[a-z0-9-]*|[156y])\$[A-Za-z0-9+/.$=,_-]+` +
	`|(?i:bearer|basic) +[A-Za-z0-9+/._~=-]{16,}` +
	`|-----BEGIN [A-Z ]*PRIVATE KEY-----[^\x00]*?(-----END [A-Z ]*PRIVATE KEY-----|$)`)

var (
	addressPassword = regexp.MustCompile(`(://[^\s/:@?#]*):[^\s@/]+@`)
	namedSecret     = regexp.MustCompile(`(?i)\b((?:[a-z0-9_-]*(?:token|password|secret)|code|__Host-[a-z0-9-]+)=)[^&\s"';,]+`)
)

// redact hides what looks like a secret.
func redact(text string) string {
	if len(text) < 8 {
		return text
	}
	if len(text) >= 20 {
		text = looksSecret.ReplaceAllString(text, hidden)
	}
	if strings.Contains(text, "://") {
		text = addressPassword.ReplaceAllString(text, "$1:"+hidden+"@")
	}
	if strings.Contains(text, "=") {
		text = namedSecret.ReplaceAllString(text, "${1}"+hidden)
	}
	return text
}

// secretKey reports whether a value of this name is a secret whatever it looks like.
func secretKey(key string) bool {
	switch strings.ToLower(key) {
	case "password", "token", "secret", "cookie", "set-cookie", "set_cookie", "authorization", "master_key", "csrf_token", "code", "link":
		return true
	}
	return false
}

// redactAttr hides secrets in an attribute of a log line.
func redactAttr(attr slog.Attr) slog.Attr {
	attr.Value = attr.Value.Resolve()
	if secretKey(attr.Key) {
		attr.Value = slog.StringValue(hidden)
		return attr
	}
	switch attr.Value.Kind() {
	case slog.KindString:
		attr.Value = slog.StringValue(redact(attr.Value.String()))
	case slog.KindAny:
		attr.Value = redactAny(attr.Value)
	}
	return attr
}

func redactAny(value slog.Value) slog.Value {
	switch content := value.Any().(type) {
	case error:
		return slog.StringValue(redact(content.Error()))
	case []byte:
		return slog.StringValue(redact(string(content)))
	case fmt.Stringer:
		return slog.StringValue(redact(content.String()))
	default:
		text, err := json.Marshal(content)
		if err != nil {
			return slog.StringValue(fmt.Sprintf("%T", content))
		}
		if clean := redact(string(text)); clean != string(text) {
			return slog.StringValue(clean)
		}
		return value
	}
}
