package lifecycle

import "github.com/ringwall/ringwall/internal/audit"

// The types of webhooks, apart from those of sessions that ended.
const (
	userCreated           = "user.created"
	userUpdated           = "user.updated"
	userEmailChanged      = "user.email_changed"
	userLocked            = "user.locked"
	userUnlocked          = "user.unlocked"
	userRolesChanged      = "user.roles_changed"
	userPasswordChanged   = "user.password_changed" // #nosec G101 -- a name
	userResetDemanded     = "user.reset_demanded"
	userDeletionScheduled = "user.deletion_scheduled"
	userDeletionCancelled = "user.deletion_cancelled"
	userDeleted           = "user.deleted"
	sessionCreated        = "session.created"
	sessionRenewed        = "session.renewed"
	sessionEnded          = "session.ended"
	sessionsAllEnded      = "session.all_ended" // of nobody, for it is of everybody
)

// rule decides what an audit event means to others.
type rule struct {
	name   audit.Name
	reason string // of the event, or anyReason
	kind   string // what is told; empty: nothing
	ends   string // the reason of sessions that end with it
}

const anyReason = "*"

// rules hold a decision for every event of the vocabulary; the first that fits decides.
var rules = [...]rule{
	{audit.UserCreated, anyReason, userCreated, ""},
	{audit.UserUpdated, "address changed", userEmailChanged, "email_changed"},
	{audit.UserUpdated, "address changed by operator", userEmailChanged, "email_changed"},
	{audit.UserUpdated, "address change requested", "", ""},
	{audit.UserUpdated, "address change approved", "", ""},
	{audit.UserUpdated, "address change confirmed", "", ""},
	{audit.UserUpdated, "address change cancelled", "", ""},
	{audit.UserUpdated, "address taken", "", ""},
	{audit.UserUpdated, anyReason, userUpdated, ""},
	{audit.UserArchived, anyReason, userDeletionScheduled, "deletion_scheduled"},
	{audit.UserRestored, anyReason, userDeletionCancelled, ""},
	{audit.UserDeleted, anyReason, userDeleted, "deleted"},
	{audit.LoginLock, anyReason, userLocked, "locked"},
	{audit.PasswordChange, anyReason, userPasswordChanged, "password_changed"},
	{audit.AuthzChange, anyReason, userRolesChanged, ""},
	{audit.AuthzAdmin, "unlocked", userUnlocked, ""},
	{audit.AuthzAdmin, "reset demanded", userResetDemanded, "reset_demanded"},
	{audit.AuthzAdmin, "everybody signed out", sessionsAllEnded, ""},
	{audit.AuthzAdmin, anyReason, "", ""},
	{audit.SessionCreated, anyReason, sessionCreated, ""},
	{audit.SessionLogout, "", "", "signed_out"},
	{audit.SessionLogout, "revoked", "", "revoked"},
	{audit.SessionLogout, "others revoked", "", "revoked"},
	{audit.SessionLogout, "by operator", "", "revoked_by_operator"},
	{audit.SessionLogout, "all, by operator", "", "revoked_by_operator"},
	{audit.SessionLogout, "replaced", "", "replaced"},
	{audit.SessionLogout, "not me", userResetDemanded, "not_me"},
	{audit.SessionLogout, "secured", userResetDemanded, "secured"},
	{audit.SessionLogout, anyReason, "", "other"},
	{audit.SessionsExceeded, anyReason, "", "exceeded"},
	{audit.SessionRenewed, anyReason, "", ""}, // told by the statement that renews

	// What is nobody's matter but ours and the operator's.
	{audit.LoginSuccess, anyReason, "", ""}, // session.created tells it
	{audit.LoginSuccessAfterFail, anyReason, "", ""},
	{audit.LoginFail, anyReason, "", ""},
	{audit.LoginFailMax, anyReason, "", ""},
	{audit.PasswordChangeFail, anyReason, "", ""},
	{audit.AuthzFail, anyReason, "", ""},
	{audit.RateLimitExceeded, anyReason, "", ""},
	{audit.InputValidationFail, anyReason, "", ""},
	{audit.MaliciousCSRF, anyReason, "", ""},
	{audit.MaliciousExtraneous, anyReason, "", ""},
	{audit.MaliciousCSPViolation, anyReason, "", ""},
	{audit.SequenceFail, anyReason, "", ""},
	{audit.SessionExpired, anyReason, "", ""},
	{audit.PrivilegeChanged, anyReason, "", ""}, // of a role, and so of nobody
	{audit.SysStartup, anyReason, "", ""},
	{audit.SysShutdown, anyReason, "", ""},
	{audit.UserExported, anyReason, "", ""},
	{audit.SignupRequested, anyReason, "", ""}, // anybody can cause it for any address
	{audit.ResetRequested, anyReason, "", ""},  // so here
	{audit.CryptDecryptFail, anyReason, "", ""},
	{audit.AlertOpened, anyReason, "", ""}, // alerts have webhooks of their own
	{audit.AlertClosed, anyReason, "", ""},
}

// ruleFor is the rule of an event; of one that has none, the zero rule, which tells nothing.
func ruleFor(event audit.Event) rule {
	for _, r := range rules {
		if r.name == event.Name && (r.reason == anyReason || r.reason == event.Reason) {
			return r
		}
	}
	return rule{}
}

// via is how somebody came to an account.
func via(event audit.Event) string {
	switch event.Reason {
	case "invited":
		return ByInvitation
	case "by operator":
		return ByOperator
	case "imported":
		return ByImport
	}
	return BySignUp
}
