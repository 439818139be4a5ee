package account

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/metadata"
	"github.com/ringwall/ringwall/internal/secret"
)

// Metadata is what the application keeps about a person: three JSON objects. Whoever reads gets each as an object. In a
// change each is a JSON merge patch (RFC 7396): what is left out stays, and null empties the part.
type Metadata struct {
	Public  json.RawMessage `json:"public,omitempty"`  // the person reads it; the application and operators write it
	Private json.RawMessage `json:"private,omitempty"` // the application and operators alone; the person sees it in the export of their data, and nowhere else
	Own     json.RawMessage `json:"own,omitempty"`     // the person reads and writes it, and so nothing may rely on it
}

// SealedMetadata are the three parts as they are stored: each sealed to its person and part, or empty.
type SealedMetadata struct{ Public, Private, Own []byte }

// MetadataTx changes what is kept about people.
type MetadataTx interface {
	SetMetadata(ctx context.Context, owner identity.Subject, sealed SealedMetadata) error // the person exists
}

// parts are the parts with where each lies.
func (m *SealedMetadata) parts(change *Metadata) [3]partOf {
	return [...]partOf{
		{metadata.Public, &m.Public, &change.Public}, {metadata.Private, &m.Private, &change.Private}, {metadata.Own, &m.Own, &change.Own},
	}
}

type partOf struct {
	part   metadata.Part
	sealed *[]byte
	text   *json.RawMessage
}

func metadataRow(owner identity.Subject, part metadata.Part) string {
	return owner.ID().String() + "/" + string(part)
}

func (s *Service) openPart(owner identity.Subject, p partOf) ([]byte, error) {
	if len(*p.sealed) == 0 {
		return nil, nil
	}
	return s.Keys.Open(secret.Metadata, metadataRow(owner, p.part), *p.sealed)
}

// openMetadata opens all parts, or of a person who asks for themselves those that they may see.
func (s *Service) openMetadata(ctx context.Context, by identity.Actor, owner identity.Subject, sealed SealedMetadata, all bool) (opened Metadata, err error) {
	for _, p := range sealed.parts(&opened) {
		if p.part == metadata.Private && !all {
			continue
		}
		text, err := s.openPart(owner, p)
		if err != nil {
			s.Refusals.Count(ctx, by, audit.Event{Name: audit.CryptDecryptFail, User: owner.ID(), Reason: "metadata"})
			return Metadata{}, err
		}
		*p.text = metadata.Text(text)
	}
	return opened, nil
}

// mergeMetadata merges a change into what is stored, within a transaction in which the person was read, and notes in the
// private details of the event which members are another now: their names, never what they hold. At is where the parts
// stand in what was sent. It returns what is stored then. Problems: invalid.
func (s *Service) mergeMetadata(ctx context.Context, tx Tx, owner identity.Subject, at string, change Metadata, private map[string]string) (SealedMetadata, error) {
	sealed, err := tx.Metadata(ctx, owner)
	if err != nil {
		return sealed, err
	}
	moved := false
	for _, p := range sealed.parts(&change) {
		if *p.text == nil {
			continue
		}
		current, err := s.openPart(owner, p)
		if err != nil {
			return sealed, err
		}
		merged, names, err := s.Metadata.Merge(p.part, at, current, *p.text)
		if err != nil {
			return sealed, err
		}
		if len(names) > 0 {
			moved, private[string(p.part)] = true, told(names)
			*p.sealed = s.Keys.Seal(secret.Metadata, metadataRow(owner, p.part), merged)
		}
	}
	if !moved {
		return sealed, nil
	}
	return sealed, tx.SetMetadata(ctx, owner, sealed)
}

// told names members in an event: the first few, so that nobody can write what they like into the audit log.
func told(names []string) string {
	const most = 20
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	for i, name := range names {
		names[i] = strings.ToValidUTF8(name[:min(len(name), 40)], "")
	}
	return strings.Join(names, ", ") + more
}

// metadataKeeper admits operators, and the application in whose process Ringwall runs.
func metadataKeeper(by identity.Actor) error {
	if by.Kind() == identity.System {
		return nil
	}
	return operator(by)
}

// MetadataOf is what is kept about somebody, all three parts. Problems: forbidden.
func (s *Service) MetadataOf(ctx context.Context, by identity.Actor, user identity.ID) (Metadata, error) {
	if err := metadataKeeper(by); err != nil {
		return Metadata{}, err
	}
	owner := identity.SubjectOf(user)
	sealed, err := s.Store.Metadata(ctx, owner)
	if err != nil {
		return Metadata{}, err
	}
	opened, err := s.openMetadata(ctx, by, owner, sealed, true)
	if err != nil {
		return Metadata{}, err
	}
	return opened, s.look(ctx, by, audit.Event{Name: audit.AuthzAdmin, User: user, Reason: "metadata read"})
}

// SetMetadata changes what is kept about somebody, and returns all three parts as they are then. A change that changes
// nothing leaves no event. Problems: forbidden, invalid, not-found.
func (s *Service) SetMetadata(ctx context.Context, by identity.Actor, user identity.ID, change Metadata, reason string) (after Metadata, err error) {
	private := map[string]string{}
	if err = metadataKeeper(by); err == nil && by.Kind() != identity.System {
		_, err = because(by, reason, nil)
	}
	if err != nil {
		return Metadata{}, err
	}
	owner := identity.SubjectOf(user)
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		clear(private)
		event := audit.Event{Name: audit.UserUpdated, User: user, Reason: "metadata", Private: private}
		_, err := tx.UserByID(ctx, user)
		if errors.Is(err, ErrMissing) {
			err = errNotFound
		}
		var sealed SealedMetadata
		if err == nil {
			sealed, err = s.mergeMetadata(ctx, tx, owner, "", change, private)
		}
		if err == nil {
			err = s.stillOperator(ctx, tx, by)
		}
		if err == nil {
			after, err = s.openMetadata(ctx, by, owner, sealed, true)
		}
		if err != nil || len(private) == 0 {
			return audit.Event{Name: audit.Unrecorded}, err
		}
		if reason = strings.TrimSpace(reason); reason != "" {
			private["reason"] = reason
		}
		return event, nil
	})
	if err != nil {
		return Metadata{}, err
	}
	return after, nil
}

// readMetadata seals what an import brings. Faults are those of the field metadata.
func (s *Service) readMetadata(owner identity.Subject, text string) (sealed SealedMetadata, err error) {
	if text == "" {
		return sealed, nil
	}
	var brought Metadata
	if err := jsonv2.Unmarshal([]byte(text), &brought, jsonv2.RejectUnknownMembers(true)); err != nil {
		return sealed, importFault{"metadata", "This is no object with public, private and own alone, or it holds a member twice."}
	}
	for _, p := range sealed.parts(&brought) {
		if *p.text == nil {
			continue
		}
		merged, _, err := s.Metadata.Merge(p.part, "metadata", nil, *p.text)
		if err != nil {
			return SealedMetadata{}, err
		}
		*p.sealed = s.Keys.Seal(secret.Metadata, metadataRow(owner, p.part), merged)
	}
	return sealed, nil
}

// writeMetadata is what [Service.readMetadata] reads.
func (s *Service) writeMetadata(ctx context.Context, by identity.Actor, owner identity.Subject) (string, error) {
	sealed, err := s.Store.Metadata(ctx, owner)
	if err != nil || sealed.Public == nil && sealed.Private == nil && sealed.Own == nil {
		return "", err
	}
	opened, err := s.openMetadata(ctx, by, owner, sealed, true)
	if err != nil {
		return "", err
	}
	for _, p := range sealed.parts(&opened) {
		if string(*p.text) == "{}" {
			*p.text = nil // without a schema over there it would be refused for nothing
		}
	}
	text, err := json.Marshal(opened)
	return string(text), err
}
