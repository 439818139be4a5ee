package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
)

// ErrName says that an event's name is not in the vocabulary. It is a slip in the caller's code.
var ErrName = errors.New("no event of the vocabulary")

const (
	maxText      = 200
	maxUserAgent = 512
)

// Builder turns events into rows, and reads their personal fields again. It is safe for concurrent use.
type Builder struct {
	keys *secret.Keyring
	now  func() time.Time
}

// Unrecorded is the word of a change that leaves no row, said so that it cannot be forgotten: what strangers may cause in
// any number without anything coming of it, and is counted as a refusal.
const Unrecorded Name = "-"

// NewBuilder makes a Builder.
func NewBuilder(keys *secret.Keyring, now func() time.Time) *Builder {
	return &Builder{keys: keys, now: now}
}

// Row is the row of an event: everything but Seq and Tx. It runs inside the transaction that people belongs to. It
// returns [ErrName] for a name that the vocabulary does not have, and the errors of people.
func (b *Builder) Row(ctx context.Context, people PersonKeys, by identity.Actor, event Event) (Row, error) {
	return b.build(ctx, people, source{actor: by, count: 1}, event)
}

// Refusal is the row of a refusal, or of a number of them. It runs where [Builder.Row] does, with the same errors.
// Counted refusals name no person and no address, only the network they came from.
func (b *Builder) Refusal(ctx context.Context, people PersonKeys, refusal Refusal) (Row, error) {
	from := source{actor: refusal.By, count: refusal.Count}
	if refusal.By.Kind() == identity.Nobody {
		from.counted = &refusal
	}
	return b.build(ctx, people, from, refusal.Event)
}

type source struct {
	actor   identity.Actor
	count   int64
	counted *Refusal
}

func (b *Builder) build(ctx context.Context, people PersonKeys, from source, event Event) (Row, error) {
	if !Known(event.Name) {
		return Row{}, fmt.Errorf("%w: %q", ErrName, clean(string(event.Name)))
	}
	by := from.actor
	row := Row{
		ID:         identity.NewID(),
		TimeMicros: b.now().UnixMicro(),
		Name:       string(event.Name),
		ActorKind:  by.Kind().String(),
		ActorName:  clean(by.Name()),
		ActorUser:  by.Subject().ID(),
		User:       event.User,
		Session:    event.Session,
		RequestID:  clean(by.Request().ID),
		Route:      clean(by.Request().Route),
		Reason:     clean(event.Reason),
		Count:      from.count,
	}
	if row.Session.IsZero() {
		row.Session = by.Session()
	}
	request, private := by.Request(), event.Private
	if from.counted != nil {
		row.ActorKind, row.ActorName, row.ActorUser, row.RequestID = identity.System.String(), "refusals", identity.ID{}, ""
		row.User, row.Session = identity.ID{}, identity.ID{}
		row.Route = clean(from.counted.Route)
		request, private = identity.Request{}, nil
		if from.counted.Network.IsValid() {
			private = map[string]string{"network": from.counted.Network.String()}
		}
	}
	personal, err := b.sealPersonal(ctx, people, &row, request, private)
	if err != nil {
		return Row{}, fmt.Errorf("seal personal fields of %s: %w", row.Name, err)
	}
	row.Personal = personal
	row.Mark = row.mark(b.keys)
	return row, nil
}

// clean makes a text safe for every log that it may end in: valid UTF-8, one line, no control characters, bounded.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return shorten(text, maxText)
}

func shorten(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "") // the cut may split a rune
}
