package audit

import "github.com/ringwall/ringwall/internal/identity"

// Name is an event of the OWASP logging vocabulary.
type Name string

// The events that exist. Add one here before you use it; a test holds docs/audit.md against this list.
const (
	LoginSuccess          Name = "authn_login_success"
	LoginSuccessAfterFail Name = "authn_login_successafterfail"
	LoginFail             Name = "authn_login_fail"
	LoginFailMax          Name = "authn_login_fail_max"
	LoginLock             Name = "authn_login_lock"
	PasswordChange        Name = "authn_password_change"
	PasswordChangeFail    Name = "authn_password_change_fail"
	AuthzFail             Name = "authz_fail"
	AuthzChange           Name = "authz_change"
	AuthzAdmin            Name = "authz_admin"
	PrivilegeChanged      Name = "privilege_permissions_changed"
	RateLimitExceeded     Name = "excess_rate_limit_exceeded"
	SessionsExceeded      Name = "excess_sessions_exceeded"
	InputValidationFail   Name = "input_validation_fail"
	MaliciousCSRF         Name = "malicious_csrf"
	MaliciousCSPViolation Name = "malicious_csp_violation" // the vocabulary has no word for what a browser reports
	MaliciousExtraneous   Name = "malicious_extraneous"
	SequenceFail          Name = "sequence_fail"
	SessionCreated        Name = "session_created"
	SessionRenewed        Name = "session_renewed"
	SessionExpired        Name = "session_expired"
	SessionLogout         Name = "session_logout"
	SysStartup            Name = "sys_startup"
	SysShutdown           Name = "sys_shutdown"
	UserCreated           Name = "user_created"
	UserUpdated           Name = "user_updated"
	UserArchived          Name = "user_archived" // waits to be deleted
	UserRestored          Name = "user_restored"
	UserDeleted           Name = "user_deleted"
	UserExported          Name = "user_exported"
	SignupRequested       Name = "sensitive_create" // a pending sign-up
	ResetRequested        Name = "sensitive_read"   // a mailed reset link
	CryptDecryptFail      Name = "crypt_decrypt_fail"
	AlertOpened           Name = "alert_opened" // the vocabulary has no word for what was recognised
	AlertClosed           Name = "alert_closed"
)

// Event is what happened, without who and from where: the [identity.Actor] of the change tells that.
type Event struct {
	Name    Name
	User    identity.ID       // whose account; zero if unknown
	Session identity.ID       // which session; zero if none
	Reason  string            // a constant of the caller's, such as "maxretries"; never input
	Private map[string]string // personal details, sealed under the person's key (an address, an old role); may be nil
}

// Failed reports whether the event is an attempt to get in that was refused.
func (n Name) Failed() bool { return n == LoginFail || n == LoginFailMax || n == PasswordChangeFail }
