package ringwall

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/ratelimit"
)

// Secret is a text that cannot print, log or encode itself.
type Secret = secret.Text

// NewSecret wraps a secret, such as the value of an environment variable.
func NewSecret(text string) Secret { return secret.NewText(text) }

// Challenger makes what strangers must solve while the ceiling of attempts is tripped or half of their mails are spent, and takes the solutions. Our own is
// proof of work. Our pages solve what has the members of ALTCHA's challenges (algorithm, challenge, maxnumber, salt,
// signature); for another captcha bring pages of your own, which send what solves it as `challenge` of the JSON API.
type Challenger = challenge.Challenger

// ChallengeRequest is the attempt for which a [Challenger] is asked.
type ChallengeRequest = challenge.Asked

// Options says how Ringwall runs. Database and Origins are required; the zero value of everything else is the safe
// production setting. [New] copies the options: changing them later changes nothing.
type Options struct {
	// Database is "sqlite:PATH" or "postgres://…". PostgreSQL wants `ringwall migrate up` first, as the owner of the
	// tables; the role given here needs no right but those which that command grants.
	Database string

	// Origins are the origins under which people reach the application, as "https://id.example.org". The first is
	// canonical and stands in mails. A request for any other host is answered 421.
	Origins []string

	// CORS are the exact origins of frontends elsewhere whose pages may call the application behind [Ringwall.Protect], as
	// "https://app.example.org", with `Authorization: Bearer` and without cookies; see docs/api.md. They may not call the
	// routes of Ringwall. What another origin sends with a cookie is refused as ever. Default: none.
	CORS []string

	// Prefix is where the routes of Ringwall live. Default: "/auth".
	Prefix string

	// Environment names the installation, such as "production". It is kept in the database and bound into the keys:
	// another environment's database is refused. Default: "production", in development "development".
	Environment string

	// MasterKey wraps the keys that seal the database: 32 random bytes as hex or base64. If it is empty, MasterKeyFile is read.
	MasterKey Secret

	// MasterKeyFile holds the master key, mode 0600. With SQLite the default is "master.key" beside the database, made
	// at the first start. With PostgreSQL MasterKey or MasterKeyFile is required.
	MasterKeyFile string

	// SMTP is the mail server: "smtp://user:password@host:587" (STARTTLS, always) or "smtps://user:password@host:465".
	// Required outside of development.
	SMTP Secret

	// MailFrom is the sender of mails, such as "Example <login@example.org>". Required with SMTP.
	MailFrom string

	// ServiceName is what pages and mails call the service. Default: the host of the first origin, "Ringwall" on loopback.
	ServiceName string

	// Signup is who may get an account without an operator: "open" (everybody who can confirm an address), "domains"
	// (addresses of SignupDomains), "invite" (whoever was invited) or "closed" (nobody). Default: "open".
	Signup string

	// SignupDomains are the domains of addresses that may sign up, such as "example.org". Subdomains are domains of their
	// own. Required with "domains".
	SignupDomains []string

	// Argon2id is the cost of a password hash. Default: m=65536 KiB, t=3, p=1. Floor: m=19456, t=2, p=1.
	Argon2id password.Params

	// PasswordMinLength is counted in code points. Default and floor: 15.
	PasswordMinLength int

	// BreachCheck refuses new passwords that are known from breaches of other services. It is the address of a server that speaks
	// the range format of Pwned Passwords ("https://api.pwnedpasswords.com"), which learns five digits of a SHA-1, or the path of a file
	// that `ringwall password breach-filter` made. Without an answer a password is taken. Default: "off", nobody is asked.
	BreachCheck string

	// HashSlots is how many passwords are hashed at a time. Default: what cores and memory allow.
	HashSlots int

	// SessionIdle ends a session this long after its last request. Default: 30 minutes.
	SessionIdle time.Duration

	// SessionAbsolute ends a session this long after sign-in. Default: 12 hours.
	SessionAbsolute time.Duration

	// SessionRemembered ends a session this long after a sign-in that asked to be remembered. Default: 30 days; its
	// idle limit is 14 days, or this if it is shorter.
	SessionRemembered time.Duration

	// SessionMax is how many sessions a person may have; a further one ends the least recently used. Default: 20.
	SessionMax int

	// SessionCacheBytes bounds the mirror of sessions in memory (SQLite). Default: 256 MiB, a million sessions.
	SessionCacheBytes int64

	// DeletionDelay is between asking for the deletion of an account and its being done; a mailed link undoes it meanwhile.
	// 1 hour to 90 days. Default: 14 days, so that somebody who is on a journey still reads that mail.
	DeletionDelay time.Duration

	// MetadataSchema says what may be kept about people beside their account: a JSON object with the members "public" (the person
	// reads it), "private" (the person does not) and "own" (the person writes it too), each a JSON Schema for an object of at
	// most 8 KiB, or the path of a file that holds such a text. A schema refers to itself alone. Default: nothing may be kept.
	MetadataSchema string

	// LimitGlobal is how many attempts a minute may reach the hashing of passwords, on all nodes together: the ceiling. When
	// strangers want half of it, they must solve a challenge; a third is kept for known devices. Default: ten times the
	// median of the last seven days, and at least half of what can be hashed. Negative: no ceiling, in development only.
	LimitGlobal int

	// Challenger makes the challenges. Default: proof of work in the format of ALTCHA.
	Challenger Challenger

	// Roles are the permissions that a role has, such as "auditor": {"ledger.read", "ledger.export"}, besides those that
	// `ringwall role allow` has put into the database. Roles are given with `ringwall user grant`; authz.Permission and
	// session.HasPermission ask for permissions. The routes of administrators ask for the role admin, which no permission
	// replaces. At most 100 roles with 100 permissions each. Default: none.
	Roles map[string][]string

	// TrustedProxies are the networks from which TrustedProxyHeader is believed: not everybody, but in development.
	TrustedProxies []netip.Prefix

	// TrustedProxyHeader is the one header that carries the client's address, such as "X-Forwarded-For"; one with another meaning, which clients write, is refused. Default: none is believed.
	TrustedProxyHeader string

	// LimitMails is how many mails a minute strangers may cause, on all nodes together, by sign-ups, resets and new links.
	// From half of it on they must solve a challenge first, and an alert is raised; beyond it they are asked to wait. People on
	// their own devices are not counted. Default: 120. Negative: no limit, in development only.
	LimitMails int

	// LimitAddress is how many sign-ins, codes, resets and the like an address may try; what was right does not count, and a
	// device that a person has used before is never held up by it. IPv6 counts by /64, and by /48 with four times as many. An
	// address may ask for a quarter as many sign-ups. Default: 20 a minute and 100 an hour.
	LimitAddress []ratelimit.Window

	// NoLimitAddress lets every address try without end. Only in development.
	NoLimitAddress bool

	// LimitAccount is how many failed attempts an account may have, from everywhere but its known devices, which have counters of
	// their own; the same for addresses without an account. Then it must wait for as long again, each further time twice as long, up
	// to an hour or, if that is longer, the window. Codes, resets and proofs of a password count apart, by the same numbers. 1 to 100 in a second to a day.
	// Default: 5 in 5 minutes.
	LimitAccount ratelimit.Window

	// NoLimitAccount lets everybody guess at every account without end. Only in development.
	NoLimitAccount bool

	// LimitAPI is how many requests one person may make to the JSON API, in all sessions together, on each node. Answers tell how
	// many are left in RateLimit fields. GET session and what proves somebody do not count: the one is asked for each request to
	// an application, the others have counters of their own, which tell nothing. Default: 600 a minute.
	LimitAPI []ratelimit.Window

	// NoLimitAPI lets everybody who is signed in ask without end. Only in development.
	NoLimitAPI bool

	// AlertMail is who gets a mail when an alert opens and when it closes. Default: nobody.
	AlertMail string

	// AlertLanguage is the language of these mails, "en" or "de". Default: "en".
	AlertLanguage string

	// AlertWebhook is the https address that is told when an alert opens and closes, in the form of Standard Webhooks. Default: none.
	AlertWebhook Secret

	// AlertWebhookSecret signs what is sent to AlertWebhook: "whsec_" and the base64 of 24 to 64 random bytes. Required with it.
	AlertWebhookSecret Secret

	// EventsWebhook is the https address that is told what becomes of accounts and sessions (user.created, session.ended and so
	// on; docs/webhooks.md), in the form of Standard Webhooks. Default: none.
	EventsWebhook Secret

	// EventsWebhookSecret signs what is sent to EventsWebhook, as AlertWebhookSecret does for alerts. Required with it.
	EventsWebhookSecret Secret

	// InsecureWebhookNetworks are networks in which AlertWebhook and EventsWebhook may lie though they are not public, such as that
	// of a receiver of your own. Whoever can choose an address then reaches everything in them. Default: none.
	InsecureWebhookNetworks []netip.Prefix

	// AdminNetworks are the networks from which administrators may act, until they have a second factor. Default: loopback
	// and private networks. Behind a proxy that is not in TrustedProxies nobody is in them. Not everybody, but in development.
	AdminNetworks []netip.Prefix

	// Hooks are functions of this program that run with sign-ups, and in the transactions that make, move and delete accounts.
	// Default: none.
	Hooks Hooks

	// Development shows mails on a page instead of sending them, admits http origins on loopback and sends no HSTS.
	Development bool

	// Now is the clock. Default: time.Now.
	Now func() time.Time

	// Log receives what happens. Default: slog.Default().
	Log *slog.Logger
}
