// Package settings holds the one declaration of what an operator can set: [Table].
//
// From it come the flags (`--addr`), the variables (`RINGWALL_ADDR`, and `RINGWALL_ADDR_FILE` for a file that holds the
// value), the defaults, the knowledge of where a value came from, and docs/settings.md. [Read] takes them in that order:
// a flag before a variable, a variable before a file, a file before the default.
//
// Read reports all faults at once. It refuses a variable that begins with RINGWALL_ and is none of ours, because a
// misspelt setting is a setting that silently does nothing, and it refuses secrets in flags, because every user of a machine can list
// the arguments of its processes.
//
// The package checks each value alone. Whether the values together are safe to serve with is decided by the commands.
package settings

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/password"
)

// Users is the set of commands that read a setting.
type Users uint8

// The commands that read settings.
const (
	Dev     Users = 1 << iota // ringwall dev
	Serve                     // ringwall serve
	Migrate                   // ringwall migrate …
	Operate                   // ringwall user …, session …, role …, and all others that look after what is there
)

// Secrecy says how much of a value must stay unseen.
type Secrecy uint8

// The degrees of secrecy.
const (
	Public         Secrecy = iota
	HiddenPassword         // an address that may carry a password: without one it may stand in a flag
	Hidden                 // never in a flag, never shown
)

// Setting is one line of the declaration.
type Setting struct {
	Name    string // without RINGWALL_, such as "SESSION_IDLE"
	Default string // as an operator would write it; empty: none
	Example string // a value that would pass
	Help    string // one sentence: what it does
	Secrecy Secrecy
	Users   Users

	into func(*Values) any // a pointer to the field, whose type decides how a value is read
}

// Values are the settings in force.
type Values struct {
	Addr               string
	OpsAddr            string
	Origins            []string
	Prefix             string
	Environment        string
	Data               string
	Database           secret.Text
	DatabaseOwner      secret.Text
	TLSCert            string
	TLSKey             string
	SMTP               secret.Text
	MailFrom           string
	TrustedProxies     []netip.Prefix
	TrustedProxyHeader string
	AdminNetworks      []netip.Prefix
	MasterKey          secret.Text
	Signup             string
	SignupDomains      []string
	Argon2id           password.Params
	PasswordMinLength  int
	DeletionDelay      time.Duration
	BreachCheck        string
	MetadataSchema     string
	SessionIdle        time.Duration
	SessionAbsolute    time.Duration
	SessionRemembered  time.Duration
	SessionMax         int
	SessionCacheBytes  Bytes
	LimitAccount       Limit
	LimitGlobal        Limit
	LimitMails         Limit
	LimitAddress       Limits
	LimitAPI           Limits
	LogLevel           slog.Level
	ServiceName        string
	AlertMail          string
	AlertLanguage      string
	AlertWebhook       secret.Text
	AlertWebhookSecret secret.Text

	EventsWebhook       secret.Text
	EventsWebhookSecret secret.Text
	InsecureWebhook     []netip.Prefix

	sources map[string]Source
}

// Bytes is a size; it is written as "256MiB".
type Bytes int64

// Limit is a number of events in a time; it is written as "5/5m". The zero Limit is "off".
type Limit struct {
	Count int
	Per   time.Duration
}

// Limits are several of them that hold together; they are written as "20/1m,100/1h". No Limits are "off".
type Limits []Limit

// Source is where a value came from.
type Source struct {
	From string // "default", "--addr", "RINGWALL_ADDR" or "RINGWALL_ADDR_FILE"
	File string // the file, if it came from one
}

// Given reports whether the operator set the value.
func (s Source) Given() bool { return s.From != "" && s.From != fromDefault }

const fromDefault = "default"

// Source is where the value of the setting came from.
func (v *Values) Source(name string) Source { return v.sources[name] }

// Unused names the settings that the operator gave and that the command does not read, as they were given.
func (v *Values) Unused(by Users) []string {
	var names []string
	for _, s := range Table() {
		if source := v.sources[s.Name]; source.Given() && s.Users&by == 0 {
			names = append(names, source.From)
		}
	}
	return names
}

// Fault is one thing that is wrong with a setting, with its mend.
type Fault struct {
	Setting string // as the operator wrote it, such as "RINGWALL_ADDR" or "--addr"
	Detail  string // what is wrong, and how to mend it
}

// Faults are all that is wrong. It is an error unless it is empty.
type Faults []Fault

// Error lists the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Setting + ": " + fault.Detail
	}
	return strings.Join(lines, "\n")
}

// Flag is the name of the flag, without dashes.
func (s Setting) Flag() string { return strings.ReplaceAll(strings.ToLower(s.Name), "_", "-") }

// Variable is the name of the variable.
func (s Setting) Variable() string { return "RINGWALL_" + s.Name }

// Kind is the type of the value in words, for help and documentation.
func (s Setting) Kind() string {
	switch s.into(&Values{}).(type) {
	case *[]string:
		return "list"
	case *[]netip.Prefix:
		return "networks"
	case *secret.Text:
		return "secret"
	case *password.Params:
		return "cost"
	case *int:
		return "number"
	case *time.Duration:
		return "duration"
	case *Bytes:
		return "size"
	case *Limit:
		return "limit"
	case *Limits:
		return "limits"
	case *slog.Level:
		return "level"
	default:
		return "text"
	}
}

// FlagHelp is the help of the flag: what it does, its default and its variable.
func (s Setting) FlagHelp() string {
	help := strings.TrimSuffix(s.Help, ".")
	if s.Default != "" {
		help += ", default " + s.Default
	}
	return fmt.Sprintf("%s ($%s).", help, s.Variable())
}
