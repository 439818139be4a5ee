package problem

// Entry documents a code: its constant title (RFC 9457, 3.1.2), and what the caller can do about it.
type Entry struct {
	Code, Title, Mend string
	Kind              Kind
}

// Catalogue lists every code that Ringwall answers, in the order of docs/problems.md.
func Catalogue() []Entry {
	return []Entry{
		{"malformed", "The request cannot be read", "Send one JSON object in UTF-8, without duplicate members and with nothing after it.", Malformed},
		{"invalid", "A field breaks a rule", "Each entry of `errors` names a field and what would pass.", Invalid},
		{"password-weak", "The password is not strong enough", "Choose another; `errors` says why this one was refused.", Invalid},
		{"unauthenticated", "Sign in first", "Send the session cookie, or `Authorization: Bearer` for a session that was asked for with `bearer`.", Unauthenticated},
		{"login-failed", "Sign-in failed", "Check address and password, confirm the address, or reset the password. The answer is the same for every reason.", Unauthenticated},
		{"fresh-required", "Prove again who you are", "Call `session/reauthenticate`, then repeat the request within five minutes.", Forbidden},
		{"csrf", "The request did not come from our pages", "Browsers: send `X-CSRF-Token` from `GET /auth/v1/session`, and call from a listed origin. Other clients: send no Origin and no Sec-Fetch headers, or use `bearer`.", Forbidden},
		{"forbidden", "You may not do this", "Ask an administrator for the role.", Forbidden},
		{"blocked", "Your network is not let in", "An operator has blocked it for a time. If that is wrong, write to the people who run the service.", Forbidden},
		{"signup-closed", "Sign-up is not open to everybody", "Ask the people who run the service for an invitation, or open the link in its mail.", Forbidden},
		{"password-required", "The password is needed too", "Send `password` too: the link was opened in another browser than the one that asked for it.", Forbidden},
		{"challenge-required", "A challenge has to be solved first", "Solve `challenge` (proof of work in the format of ALTCHA) within five minutes, and send the attempt again with the solution as `challenge`.", Forbidden},
		{"reset-required", "Choose a new password first", "Open the link in the mail that was sent, or ask for another with `password/forgot`; then sign in with the new password.", Forbidden},
		{"deletion-pending", "The account waits to be deleted", "Open the link in the mail that was sent: it keeps the account.", Forbidden},
		{"link-invalid", "The link or code does not work", "It was used, replaced or mistyped, or it has expired. Ask for a new one.", Invalid},
		{"not-found", "Not found", "There is nothing here that you may see.", Missing},
		{"method-not-allowed", "Method not allowed", "Use one of the methods in the `Allow` header.", MethodNotAllowed},
		{"conflict", "The state has changed", "Read it again, then repeat the request.", Conflict},
		{"last-administrator", "This is the last administrator", "Give somebody else the role `admin` first.", Conflict},
		{"idempotency-key-missing", "Idempotency-Key is missing", "Send `Idempotency-Key`: a new UUID in double quotes for each thing that you want done, and the same one when you try again.", Malformed},
		{"idempotency-key-malformed", "Idempotency-Key cannot be read", "Send one `Idempotency-Key` of 16 to 128 characters in double quotes, without parameters.", Malformed},
		{"idempotency-key-reused", "Idempotency-Key is already used", "Send a new key for a new request; send the same bytes to the same address when you try again.", Invalid},
		{"idempotency-key-in-flight", "A request is outstanding for this Idempotency-Key", "Wait as long as `Retry-After` says, then send it again with the same key.", Conflict},
		{"idempotency-answer-gone", "The request was carried out, its answer is gone", "Look at what became of it. Sent again with a new key it would be carried out again.", Conflict},
		{"too-large", "The request is too large", "Bodies are limited to 64 KiB.", TooLarge},
		{"unsupported-media-type", "Unsupported content type", "Send `Content-Type: application/json`.", UnsupportedMedia},
		{"misdirected", "This host is not served here", "Call a host that stands in ORIGINS, or add this one to it.", Misdirected},
		{"too-many-requests", "Too many attempts", "Wait as long as `Retry-After` says. A forgotten password can be reset meanwhile.", TooMany},
		{"quota-exceeded", "The quota is used up", "Wait as long as `Retry-After` says; `RateLimit` tells how much is left of what before.", TooMany},
		{"busy", "Too many sign-ins at once", "Wait as long as `Retry-After` says, then try again.", Unavailable},
		{"unavailable", "A part of the service is out of reach", "Wait as long as `Retry-After` says, then try again.", Unavailable},
		{"timeout", "The request took too long to arrive", "Send it again on a better connection.", TimedOut},
		{"internal", "Something went wrong here", "Try again; if it stays, tell the operator the request id in `instance`.", Internal},
	}
}

// Title is the constant title of a code; an unknown code has that of "internal".
func Title(code string) string {
	entries := Catalogue()
	for _, e := range entries {
		if e.Code == code {
			return e.Title
		}
	}
	return entries[len(entries)-1].Title
}
