package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
)

// Message is one thing to tell. Its ID is the same for every attempt.
type Message struct {
	ID     identity.ID
	Target string // the name of the target, such as "alerts"
	Body   []byte // JSON
}

// NewMessage makes a message of a type such as "alert.opened", with what there is to say about it.
func NewMessage(target, kind string, at time.Time, data any) (Message, error) {
	body, err := json.Marshal(struct {
		Type      string `json:"type"`
		Timestamp string `json:"timestamp"`
		Data      any    `json:"data"`
	}{kind, at.UTC().Format(time.RFC3339), data})
	if err != nil {
		return Message{}, fmt.Errorf("webhook %s: %w", kind, err)
	}
	return Message{ID: identity.NewID(), Target: target, Body: body}, nil
}

// ErrSecret says that a text is no secret of Standard Webhooks.
var ErrSecret = errors.New("a webhook secret is whsec_ and the base64 of 24 to 64 random bytes: echo whsec_$(openssl rand -base64 32)")

const (
	secretPrefix     = "whsec_" // #nosec G101 -- the beginning of every secret, and none itself
	shortest         = 24
	longest          = 64
	signatureVersion = "v1,"
)

// Secret signs messages. The zero Secret signs nothing.
type Secret struct {
	_   [0]func() // compare nothing that holds keys
	key *[]byte   // behind a pointer, so that fmt prints an address
}

// ParseSecret reads "whsec_…". Its error repeats nothing of the text.
func ParseSecret(text secret.Text) (Secret, error) {
	encoded, ok := strings.CutPrefix(text.Reveal(), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < shortest || len(key) > longest {
		return Secret{}, ErrSecret
	}
	return Secret{key: &key}, nil
}

// sign is the signature of one attempt.
func (s Secret) sign(id string, at time.Time, body []byte) string {
	h := hmac.New(sha256.New, *s.key)
	_, _ = h.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	_, _ = h.Write(body) // a hash never fails
	return signatureVersion + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// headerID is the id as a receiver sees it.
func headerID(id identity.ID) string { return "msg_" + id.String() }
