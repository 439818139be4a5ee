package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/internal/settings"
)

// auth0Person reads a line of the password export (passwordHash, which Auth0's support hands out) or of the bulk user export,
// or of both joined by address.
func auth0Person(line []byte, _ rosterOptions) (personRow, error) {
	var l struct {
		Email         string `json:"email"`
		EmailVerified bool   `json:"email_verified"`
		Name          string `json:"name"`
		Hash          string `json:"passwordHash"`
		OtherHash     string `json:"password_hash"`
		CreatedAt     string `json:"created_at"`
		Blocked       bool   `json:"blocked"`
		PasswordSet   struct {
			Date string `json:"$date"`
		} `json:"password_set_date"`
	}
	if err := looseJSON(line, &l); err != nil {
		return personRow{}, err
	}
	p := personRow{Email: l.Email, Verified: l.EmailVerified, DisplayName: nameUnlessAddress(l.Name), Hash: l.Hash + l.OtherHash}
	var err error
	if p.CreatedAt, err = readTime(l.CreatedAt); err != nil {
		return p, rowFault{"created_at", err.Error()}
	}
	if p.PasswordChangedAt, err = readTime(l.PasswordSet.Date); err != nil {
		return p, rowFault{"password_set_date", err.Error()}
	}
	return p.lockedIf(l.Blocked), nil
}

// nameUnlessAddress leaves out what systems put there that know no name.
func nameUnlessAddress(name string) string {
	if strings.Contains(name, "@") {
		return ""
	}
	return name
}

func (p personRow) lockedIf(locked bool) personRow {
	if locked {
		p.Locked, p.LockReason = true, "locked where the account came from"
	}
	return p
}

// supabaseUser is a row of auth.users.
type supabaseUser struct {
	ID          string          `json:"id"`
	Email       string          `json:"email"`
	Hash        string          `json:"encrypted_password"`
	ConfirmedAt string          `json:"email_confirmed_at"`
	Meta        json.RawMessage `json:"raw_user_meta_data"`
	CreatedAt   string          `json:"created_at"`
	BannedUntil string          `json:"banned_until"`
	DeletedAt   string          `json:"deleted_at"`
}

func supabaseJSON(line []byte, options rosterOptions) (personRow, error) {
	var u supabaseUser
	if err := looseJSON(line, &u); err != nil {
		return personRow{}, err
	}
	return u.person(options)
}

func supabaseCSV(cell func(string) string, options rosterOptions) (personRow, error) {
	return supabaseUser{
		ID: cell("id"), Email: cell("email"), Hash: cell("encrypted_password"), ConfirmedAt: cell("email_confirmed_at"), Meta: json.RawMessage(cell("raw_user_meta_data")),
		CreatedAt: cell("created_at"), BannedUntil: cell("banned_until"), DeletedAt: cell("deleted_at"),
	}.person(options)
}

func (u supabaseUser) person(options rosterOptions) (personRow, error) {
	p := personRow{ID: u.ID, Email: u.Email, Hash: u.Hash, Verified: u.ConfirmedAt != ""}
	if u.DeletedAt != "" {
		return p, rowFault{"deleted_at", "the account was deleted there"}
	}
	var meta struct {
		FullName string `json:"full_name"`
		Name     string `json:"name"`
	}
	if len(u.Meta) > 0 {
		text := string(u.Meta)
		_ = json.Unmarshal(u.Meta, &text)               // a JSON text in a JSON text, as some exports have it
		if json.Unmarshal([]byte(text), &meta) == nil { // what applications put there has any form
			p.DisplayName = nameUnlessAddress(meta.FullName)
			if p.DisplayName == "" {
				p.DisplayName = nameUnlessAddress(meta.Name)
			}
		}
	}
	var err error
	if p.CreatedAt, err = readTime(u.CreatedAt); err != nil {
		return p, rowFault{"created_at", err.Error()}
	}
	if u.BannedUntil == "" {
		return p, nil
	}
	until, err := readTime(u.BannedUntil)
	if err != nil { // "infinity"
		return p.lockedIf(true), nil
	}
	if until > options.now().UnixMicro() {
		p = p.lockedIf(true)
		p.LockUntil = until
	}
	return p, nil
}

// firebaseConfig is hash_config of the Firebase console: Authentication, Users, ⋮, Password hash parameters.
type firebaseConfig struct {
	signer, separator string
	rounds, memCost   int
}

const firebaseConfigMaxBytes = 4 << 10

// readFirebaseConfig reads the text as the console shows it. It holds the signer key, so the file is for its owner alone.
func readFirebaseConfig(path string) (*firebaseConfig, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, misuse{fmt.Errorf("%s cannot be read: %s", path, reasonOf(err))}
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if settings.Exposed(info) {
		return nil, misuse{fmt.Errorf("%s holds a key, and can be read by others than its owner (mode %04o). Run: chmod 600 %s", path, info.Mode().Perm(), path)}
	}
	text, err := io.ReadAll(io.LimitReader(file, firebaseConfigMaxBytes))
	if err != nil {
		return nil, err
	}
	c, err := parseFirebaseConfig(string(text))
	if err != nil {
		return nil, misuse{fmt.Errorf("%s: %w", path, err)}
	}
	return c, nil
}

func parseFirebaseConfig(text string) (*firebaseConfig, error) {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `",`)
		}
	}
	c := &firebaseConfig{signer: values["base64_signer_key"], separator: values["base64_salt_separator"]}
	if values["algorithm"] != "SCRYPT" {
		return nil, errors.New("the algorithm is not SCRYPT. Copy the whole hash_config of the Firebase console")
	}
	if signer, err := base64.StdEncoding.DecodeString(c.signer); err != nil || len(signer) == 0 {
		return nil, errors.New("base64_signer_key is missing or no base64")
	}
	var err error
	if c.rounds, err = strconv.Atoi(values["rounds"]); err != nil {
		return nil, errors.New("rounds is missing or no number")
	}
	if c.memCost, err = strconv.Atoi(values["mem_cost"]); err != nil {
		return nil, errors.New("mem_cost is missing or no number")
	}
	return c, nil
}

var errFirebaseConfig = errors.New("people in this file have password hashes, which need the project's hash parameters: give the file with them as --firebase-config")

// firebasePerson reads one of the users of `firebase auth:export users.json`.
func firebasePerson(element []byte, options rosterOptions) (personRow, error) {
	var u struct {
		Email         string `json:"email"`
		EmailVerified bool   `json:"emailVerified"`
		DisplayName   string `json:"displayName"`
		Hash          string `json:"passwordHash"`
		Salt          string `json:"salt"`
		CreatedAt     string `json:"createdAt"`
		Disabled      bool   `json:"disabled"`
	}
	if err := looseJSON(element, &u); err != nil {
		return personRow{}, err
	}
	p := personRow{Email: u.Email, Verified: u.EmailVerified, DisplayName: u.DisplayName}
	if u.Email == "" {
		return p, rowFault{"email", "the account has no address"}
	}
	if u.Hash != "" {
		c := options.firebase
		if c == nil {
			return p, errFirebaseConfig
		}
		p.Hash = fmt.Sprintf("$firebase-scrypt$ln=%d,r=%d$%s$%s$%s$%s", c.memCost, c.rounds, u.Salt, c.separator, c.signer, u.Hash)
	}
	var err error
	if p.CreatedAt, err = readMillis(u.CreatedAt); err != nil {
		return p, rowFault{"createdAt", err.Error()}
	}
	return p.lockedIf(u.Disabled), nil
}

// keycloakPerson reads one of the users of a realm export (kc.sh export --users).
func keycloakPerson(element []byte, _ rosterOptions) (personRow, error) {
	var u struct {
		ID            string      `json:"id"`
		Email         string      `json:"email"`
		EmailVerified bool        `json:"emailVerified"`
		FirstName     string      `json:"firstName"`
		LastName      string      `json:"lastName"`
		Enabled       *bool       `json:"enabled"`
		Created       json.Number `json:"createdTimestamp"`
		ServiceClient string      `json:"serviceAccountClientId"`
		Attributes    struct {
			Locale []string `json:"locale"`
		} `json:"attributes"`
		Credentials []keycloakCredential `json:"credentials"`
	}
	if err := looseJSON(element, &u); err != nil {
		return personRow{}, err
	}
	p := personRow{ID: u.ID, Email: u.Email, Verified: u.EmailVerified, DisplayName: strings.TrimSpace(u.FirstName + " " + u.LastName)}
	if u.ServiceClient != "" {
		return p, rowFault{"serviceAccountClientId", "it is the account of a client, not of a person"}
	}
	if len(u.Attributes.Locale) > 0 {
		p.Language = u.Attributes.Locale[0]
	}
	var err error
	if p.CreatedAt, err = readMillis(u.Created.String()); err != nil {
		return p, rowFault{"createdTimestamp", err.Error()}
	}
	for _, c := range u.Credentials {
		if c.Type != "password" {
			continue
		}
		if p.Hash, err = c.hash(); err != nil {
			return p, err
		}
		if p.PasswordChangedAt, err = readMillis(strconv.FormatInt(max(c.CreatedDate, 0), 10)); err != nil {
			return p, rowFault{"createdDate", err.Error()}
		}
	}
	return p.lockedIf(u.Enabled != nil && !*u.Enabled), nil
}

type keycloakCredential struct {
	Type           string `json:"type"`
	CreatedDate    int64  `json:"createdDate"`
	SecretData     string `json:"secretData"`
	CredentialData string `json:"credentialData"`
}

// hash writes PBKDF2 and Argon2 of Keycloak as PHC strings.
func (c keycloakCredential) hash() (string, error) {
	var secret struct{ Value, Salt string }
	var data struct {
		Iterations int                 `json:"hashIterations"`
		Algorithm  string              `json:"algorithm"`
		More       map[string][]string `json:"additionalParameters"`
	}
	if json.Unmarshal([]byte(c.SecretData), &secret) != nil || json.Unmarshal([]byte(c.CredentialData), &data) != nil {
		return "", rowFault{"credentials", "secretData or credentialData is no JSON"}
	}
	more := func(name string) string {
		if values := data.More[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	switch data.Algorithm {
	case "pbkdf2", "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512":
		hash := strings.TrimPrefix(data.Algorithm, "pbkdf2-")
		if data.Algorithm == "pbkdf2" {
			hash = "sha1"
		}
		return fmt.Sprintf("$pbkdf2-%s$i=%d$%s$%s", hash, data.Iterations, secret.Salt, secret.Value), nil
	case "argon2":
		if more("version") != "1.3" {
			return "", rowFault{"credentials", "Argon2 of another version than 1.3"}
		}
		return fmt.Sprintf("$argon2%s$v=19$m=%s,t=%d,p=%s$%s$%s", more("type"), more("memory"), data.Iterations, more("parallelism"), secret.Salt, secret.Value), nil
	}
	return "", rowFault{"credentials", "the algorithm is neither PBKDF2 nor Argon2"}
}
