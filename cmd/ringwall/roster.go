package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// personRow is somebody on the way to or from the library, which judges what stands in it. Times are microseconds since 1970.
type personRow struct {
	ID                string   `json:"id,omitempty"`
	Email             string   `json:"email"`
	Verified          bool     `json:"email_verified,omitempty"`
	DisplayName       string   `json:"display_name,omitempty"`
	Hash              string   `json:"password_hash,omitempty"`
	PasswordChangedAt int64    `json:"password_changed_at,omitempty"`
	CreatedAt         int64    `json:"created_at,omitempty"`
	Language          string   `json:"language,omitempty"`
	Locked            bool     `json:"locked,omitempty"`
	LockReason        string   `json:"lock_reason,omitempty"`
	LockUntil         int64    `json:"lock_until,omitempty"`
	Roles             []string `json:"roles,omitempty"`
	Metadata          string   `json:"metadata,omitempty"` // a JSON text
}

// roster reads people from a file, one at a time.
type roster interface {
	// next returns the next person and where they stand, such as "line 17". The error is a [rowFault] if only this row cannot be
	// read, [io.EOF] at the end, and anything else if nothing more can be read.
	next() (person personRow, at string, err error)
}

// rowFault is what is wrong with one row. It never repeats the row.
type rowFault struct{ field, detail string }

func (f rowFault) Error() string { return f.field + ": " + f.detail }

// The formats of rosters.
const (
	formatAuto     = "auto"
	formatCSV      = "csv"
	formatJSON     = "jsonl"
	formatAuth0    = "auth0"
	formatSupabase = "supabase"
	formatFirebase = "firebase"
	formatKeycloak = "keycloak"
)

// rosterOptions say how a file is to be understood.
type rosterOptions struct {
	format   string
	verified bool // of addresses about which the file says nothing
	firebase *firebaseConfig
	now      func() time.Time
}

var errUTF16 = errors.New("the file is UTF-16. Save it as UTF-8")

// openRoster looks at the beginning of the file and returns its reader.
func openRoster(in io.Reader, options rosterOptions) (roster, error) {
	buffered := bufio.NewReaderSize(in, recordMaxBytes)
	head, err := buffered.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return nil, errUTF16
	case bytes.Equal(head, []byte("\uFEFF")):
		_, _ = buffered.Discard(3)
	}
	first, _ := buffered.Peek(1)
	lines := &lineReader{in: buffered}
	object := len(first) == 1 && first[0] == '{'
	switch options.format {
	case formatFirebase:
		return newDocument(buffered, options, firebasePerson), nil
	case formatKeycloak:
		return newDocument(buffered, options, keycloakPerson), nil
	case formatAuth0:
		return &jsonLines{lines, options, auth0Person}, nil
	case formatSupabase:
		if object {
			return &jsonLines{lines, options, supabaseJSON}, nil
		}
		return newTable(lines, options, columns{loose: true}, supabaseCSV)
	case formatJSON:
		return &jsonLines{lines, options, ownJSON}, nil
	case formatAuto:
		if object {
			return &jsonLines{lines, options, ownJSON}, nil
		}
	}
	return newTable(lines, options, columns{names: ownColumns()}, ownCSV)
}

// ownLine is a person in the format of ours.
type ownLine struct {
	ID                string   `json:"id,omitempty"`
	Email             string   `json:"email"`
	Verified          *bool    `json:"email_verified,omitempty"`
	DisplayName       string   `json:"display_name,omitempty"`
	Hash              string   `json:"password_hash,omitempty"`
	PasswordChangedAt string   `json:"password_changed_at,omitempty"`
	CreatedAt         string   `json:"created_at,omitempty"`
	Language          string   `json:"language,omitempty"`
	Locked            bool     `json:"locked,omitempty"`
	LockReason        string   `json:"lock_reason,omitempty"`
	LockUntil         string   `json:"lock_until,omitempty"`
	Roles             []string `json:"roles,omitempty"`

	Metadata json.RawMessage `json:"metadata,omitempty"`
}

func ownColumns() []string {
	return []string{"id", "email", "email_verified", "display_name", "password_hash", "password_changed_at", "created_at", "language", "locked", "lock_reason", "lock_until", "roles", "metadata"}
}

func (l ownLine) person(options rosterOptions) (p personRow, err error) {
	p = personRow{
		ID: l.ID, Email: l.Email, Verified: options.verified, DisplayName: l.DisplayName, Hash: l.Hash,
		Language: l.Language, Locked: l.Locked, LockReason: l.LockReason, Roles: l.Roles, Metadata: string(l.Metadata),
	}
	if l.Verified != nil {
		p.Verified = *l.Verified
	}
	for _, each := range []struct {
		field, text string
		into        *int64
	}{{"password_changed_at", l.PasswordChangedAt, &p.PasswordChangedAt}, {"created_at", l.CreatedAt, &p.CreatedAt}, {"lock_until", l.LockUntil, &p.LockUntil}} {
		if *each.into, err = readTime(each.text); err != nil {
			return p, rowFault{each.field, err.Error()}
		}
	}
	return p, nil
}

// ownOf is the opposite of [ownLine.person].
func ownOf(p personRow) ownLine {
	return ownLine{
		ID: p.ID, Email: p.Email, Verified: &p.Verified, DisplayName: p.DisplayName, Hash: p.Hash, PasswordChangedAt: writeTime(p.PasswordChangedAt),
		CreatedAt: writeTime(p.CreatedAt), Language: p.Language, Locked: p.Locked, LockReason: p.LockReason, LockUntil: writeTime(p.LockUntil), Roles: p.Roles, Metadata: json.RawMessage(p.Metadata),
	}
}

func ownJSON(line []byte, options rosterOptions) (personRow, error) {
	var l ownLine
	if err := strictJSON(line, &l); err != nil {
		return personRow{}, err
	}
	return l.person(options)
}

func ownCSV(cell func(string) string, options rosterOptions) (personRow, error) {
	l := ownLine{
		ID: cell("id"), Email: unquoteFormula(cell("email")), DisplayName: unquoteFormula(cell("display_name")), Hash: cell("password_hash"), PasswordChangedAt: cell("password_changed_at"),
		CreatedAt: cell("created_at"), Language: cell("language"), LockReason: unquoteFormula(cell("lock_reason")), LockUntil: cell("lock_until"), Roles: readRoles(cell("roles")), Metadata: json.RawMessage(cell("metadata")),
	}
	if text := cell("email_verified"); text != "" {
		verified, err := readBool(text)
		if err != nil {
			return personRow{}, rowFault{"email_verified", err.Error()}
		}
		l.Verified = &verified
	}
	if text := cell("locked"); text != "" {
		var err error
		if l.Locked, err = readBool(text); err != nil {
			return personRow{}, rowFault{"locked", err.Error()}
		}
	}
	return l.person(options)
}

func readRoles(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;|", r) })
}

func readBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "t", "yes", "y", "1":
		return true, nil
	case "false", "f", "no", "n", "0":
		return false, nil
	}
	return false, errors.New("neither true nor false")
}

// readTime reads RFC 3339, what PostgreSQL prints, and a day, of the years 0 to 9999 in UTC, which [writeTime] can write. Nothing is
// zero.
func readTime(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 {
			return t.UnixMicro(), nil
		}
	}
	return 0, errors.New("not a time such as 2026-01-31T12:00:00Z")
}

func writeTime(micros int64) string {
	if micros == 0 {
		return ""
	}
	return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
}

// readMillis reads milliseconds since 1970, as a number or as text.
func readMillis(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<45 {
		return 0, errors.New("not a number of milliseconds since 1970")
	}
	return n * 1000, nil
}
