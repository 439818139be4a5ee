package audit

import (
	"log/slog"
	"slices"
)

// Level is how grave an event is, in the words of the OWASP logging vocabulary.
type Level string

// The levels.
const (
	Info     Level = "INFO"
	Warn     Level = "WARN"
	Critical Level = "CRITICAL"
)

// Slog is the level for a log line. A critical event is a refused attack, not something broken here: it is a warning too.
func (l Level) Slog() slog.Level {
	if l == Info {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// Entry documents an event.
type Entry struct {
	Name     Name
	Level    Level
	Describe string // a sentence for people
	reasoned bool   // the vocabulary puts the reason behind the user's id
}

// Vocabulary lists every event that exists, in the order of docs/audit.md.
func Vocabulary() []Entry { return slices.Clone(vocabulary[:]) }

var vocabulary = [...]Entry{
	{LoginSuccess, Info, "Somebody signed in.", false},
	{LoginSuccessAfterFail, Info, "Somebody signed in after failed attempts.", false},
	{LoginFail, Warn, "A sign-in failed.", false},
	{LoginFailMax, Warn, "A sign-in was refused because too many had failed.", false},
	{LoginLock, Warn, "An account was locked.", true},
	{PasswordChange, Info, "A password was changed.", false},
	{PasswordChangeFail, Critical, "A change of password was refused.", false},
	{AuthzFail, Critical, "Somebody asked for what they may not do or see.", false},
	{AuthzChange, Warn, "Somebody's roles were changed.", false},
	{AuthzAdmin, Warn, "An administrator or operator acted.", false},
	{PrivilegeChanged, Warn, "What a role allows was changed.", false},
	{RateLimitExceeded, Warn, "Requests were refused because there were too many.", false},
	{SessionsExceeded, Warn, "Sessions were ended because a person had too many.", false},
	{InputValidationFail, Warn, "A request was refused because it could not be read or broke a rule.", false},
	{MaliciousCSRF, Warn, "A request was refused because another site may have made a browser send it.", false},
	{MaliciousCSPViolation, Warn, "A browser reported that a page of ours did what its Content-Security-Policy forbids.", false},
	{MaliciousExtraneous, Critical, "A request was refused because it carried what no client of ours sends.", false},
	{SequenceFail, Critical, "A step was tried out of order, such as a used link.", false},
	{SessionCreated, Info, "A session began.", false},
	{SessionRenewed, Info, "A session got a new id.", false},
	{SessionExpired, Info, "A session was used after its time was over.", true},
	{SessionLogout, Info, "A session ended: somebody signed out, or it was revoked.", false},
	{SysStartup, Warn, "The server started.", false},
	{SysShutdown, Warn, "The server stopped.", false},
	{UserCreated, Warn, "An account was made.", false},
	{UserUpdated, Warn, "An account was changed.", false},
	{UserArchived, Warn, "An account waits to be deleted.", false},
	{UserRestored, Warn, "A deletion was undone: the account stays.", false},
	{UserDeleted, Warn, "An account was deleted.", false},
	{UserExported, Warn, "Somebody downloaded what is held about them.", false},
	{SignupRequested, Warn, "A sign-up waits for its address to be confirmed.", false},
	{ResetRequested, Warn, "A link to reset a password was asked for.", false},
	{CryptDecryptFail, Warn, "Something sealed did not open: it was changed or belongs elsewhere.", false},
	{AlertOpened, Critical, "Something was recognised that operators must know, and they were told.", false},
	{AlertClosed, Warn, "What the operators were told of is over.", false},
}

func entry(name Name) (Entry, bool) {
	for _, e := range vocabulary {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{Name: name, Level: Warn, Describe: "An event that this version does not know."}, false
}

// Known reports whether the vocabulary has the event.
func Known(name Name) bool {
	_, ok := entry(name)
	return ok
}

// LevelOf is the level of an event; an unknown one is [Warn].
func LevelOf(name Name) Level {
	e, _ := entry(name)
	return e.Level
}

// Describe is a sentence for people about an event.
func Describe(name Name) string {
	e, _ := entry(name)
	return e.Describe
}
