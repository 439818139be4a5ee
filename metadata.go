package ringwall

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/metadata"
	"github.com/ringwall/ringwall/session"
)

// Metadata is what an application keeps about a person in Ringwall: three JSON objects, each held to its schema in
// [Options.MetadataSchema] and at most 8 KiB long. They are sealed in the database and go with the account.
type Metadata = account.Metadata

// Metadata is what is kept about somebody. The subject is that of a session ([session.Session.Subject]), so that it cannot come
// from input; about others an operator asks, through [Ringwall.Operate] with "user.metadata".
func (rw *Ringwall) Metadata(ctx context.Context, of session.Subject) (Metadata, error) {
	return rw.accounts.MetadataOf(ctx, application(), of.ID())
}

// SetMetadata changes what is kept about somebody, each part as a JSON merge patch (RFC 7396), and returns all of it as it is
// then. The audit log tells which members are another now, never what they hold. A change that does not fit is refused as a
// problem document would say it, and changes nothing.
func (rw *Ringwall) SetMetadata(ctx context.Context, of session.Subject, change Metadata) (Metadata, error) {
	return rw.accounts.SetMetadata(ctx, application(), of.ID(), change, "")
}

// application is the program in whose process we run: it acts for whoever is signed in there, and by itself.
func application() identity.Actor { return identity.NewSystem("application") }

// metadataSchemas reads the schemas, from a file if the option names one.
func (o Options) metadataSchemas() (*metadata.Schemas, error) {
	text := strings.TrimSpace(o.MetadataSchema)
	if text != "" && !strings.HasPrefix(text, "{") {
		raw, err := os.ReadFile(text) // #nosec G304 -- the operator names the file
		if err != nil {
			return nil, err
		}
		text = strings.TrimSpace(string(raw))
	}
	return metadata.Parse(text)
}

func (o Options) checkMetadata() error {
	if _, err := o.metadataSchemas(); err != nil {
		return fmt.Errorf("MetadataSchema cannot be used: %w", err)
	}
	return nil
}

type metadataInput struct {
	User   string `json:"user" required:"true" maxLength:"254"`
	Reason string `json:"reason,omitempty" maxLength:"500"`
	Metadata
}

type metadataReply struct {
	Metadata Metadata `json:"metadata"`
}

// userMetadata shows what is kept about somebody, and changes it first if a part is given.
func (rw *Ringwall) userMetadata(ctx context.Context, by identity.Actor, in metadataInput) (out metadataReply, err error) {
	user, err := rw.accounts.FindUser(ctx, by, in.User)
	if err != nil {
		return out, err
	}
	if in.Public == nil && in.Private == nil && in.Own == nil {
		out.Metadata, err = rw.accounts.MetadataOf(ctx, by, user.ID)
	} else {
		out.Metadata, err = rw.accounts.SetMetadata(ctx, by, user.ID, in.Metadata, in.Reason)
	}
	return out, err
}
