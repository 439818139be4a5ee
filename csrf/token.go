package csrf

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/input"
)

// Header and Field are where a token travels.
const (
	Header = "X-CSRF-Token"
	Field  = "csrf_token"
)

const (
	canonicalHeader = "X-Csrf-Token" // as net/http keeps it
	randomBytes     = 32
	tokenBytes      = 43 + 1 + 43 // two times 32 bytes in base64, and the dot
	headBytes       = 1 << 10     // of an upload: room for the longest boundary (RFC 2046, 5.1.1), the head of a field and the token
)

// Binding is what a token belongs to. A token of one binding is worth nothing with another. The zero Binding has no
// tokens.
type Binding struct{ kind, value string }

// Session binds tokens to a session, by whatever changes when it is renewed. It need not be secret.
func Session(id string) Binding { return Binding{"session", id} }

// PreSession binds tokens to the random value of a cookie that a browser has before it signs in.
func PreSession(cookie string) Binding { return Binding{"pre", cookie} }

// Token makes a token, a new one on each call: compression next to attacker's text in a page (BREACH) has nothing that
// it could guess twice. All of a binding's tokens stay good as long as it does. It is empty for an empty binding.
func (g *Guard) Token(b Binding) string {
	return string(g.AppendToken(make([]byte, 0, tokenBytes), b))
}

// AppendToken is [Guard.Token] for a buffer: it appends the token to text.
func (g *Guard) AppendToken(text []byte, b Binding) []byte {
	if b.value == "" {
		return text
	}
	s := g.scratch.Get().(*scratch)
	defer g.scratch.Put(s)
	_, _ = rand.Read(s.random[:]) // never fails: crypto/rand ends the program instead
	base64.RawURLEncoding.Encode(s.text[:], s.random[:])
	text = base64.RawURLEncoding.AppendEncode(text, g.sum(s, b, s.text[:]))
	return append(append(text, '.'), s.text[:]...)
}

// scratch is memory that one token after the other is made in. Nothing in it is secret.
type scratch struct {
	random  [randomBytes]byte
	text    [43]byte // of random
	message []byte
}

// CheckToken returns an error unless the request carries a token of the binding, in the header X-CSRF-Token or, if there
// is none, in the field csrf_token of a form that it reads with [input.Form]. In a form with files (multipart/form-data)
// csrf_token is the first field: no more than the first KiB is read, and put back. It looks at any method, so call it for
// those that change something; requests with a bearer token and no cookies need none. The error is a 403 and [ErrToken],
// or that of the form.
func (g *Guard) CheckToken(r *http.Request, b Binding) error {
	token := ""
	switch values := r.Header[canonicalHeader]; {
	case len(values) > 1:
		return g.badToken
	case len(values) == 1:
		token = values[0]
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		form := r.PostForm // of a caller who has read it already, under rules of its own
		if form == nil {
			var err error
			if form, err = input.Form(r); err != nil {
				return err
			}
		}
		if len(form[Field]) > 1 {
			return g.badToken
		}
		token = form.Get(Field)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data"):
		token = firstField(r)
	}
	switch {
	case token == "":
		return g.noToken
	case !g.verify(b, token):
		return g.badToken
	}
	return nil
}

// firstField is the token of a form with files, if that is what stands first in it. The body is left as it was.
func firstField(r *http.Request) string {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" || r.Body == nil {
		return ""
	}
	head := make([]byte, headBytes)
	n, _ := io.ReadFull(r.Body, head) // whoever reads on meets the same error
	head = head[:n]
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
	part, err := multipart.NewReader(bytes.NewReader(head), params["boundary"]).NextRawPart()
	if err != nil || part.FormName() != Field || part.FileName() != "" {
		return ""
	}
	token, err := io.ReadAll(part)
	if err != nil {
		return ""
	}
	return string(token)
}

func (g *Guard) verify(b Binding, token string) bool {
	if b.value == "" || len(token) != tokenBytes {
		return false
	}
	mac, random, _ := strings.Cut(token, ".")
	sent, err := base64.RawURLEncoding.Strict().DecodeString(mac) // one spelling for one token
	if err != nil {
		return false
	}
	s := g.scratch.Get().(*scratch)
	defer g.scratch.Put(s)
	return hmac.Equal(sent, g.sum(s, b, []byte(random)))
}

// sum is the MAC of kind, binding and random text, each behind its length, so that nothing can move from one to the
// other.
func (g *Guard) sum(s *scratch, b Binding, random []byte) []byte {
	message := s.message[:0]
	message = append(appendLength(message, len(b.kind)), b.kind...)
	message = append(appendLength(message, len(b.value)), b.value...)
	message = append(appendLength(message, len(random)), random...)
	s.message = message
	return g.mac(message)
}

func appendLength(message []byte, n int) []byte {
	return append(strconv.AppendInt(message, int64(n), 10), '!')
}
