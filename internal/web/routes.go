package web

import (
	"net/http"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/chain"
)

// Routes are the pages. Paths are below the prefix, except those that begin with /.well-known/.
func (w *Web) Routes() []chain.Route {
	public, signedIn, fresh := authz.Public(), authz.SignedIn(), authz.Fresh(5*time.Minute)
	routes := []chain.Route{
		w.route("GET", "/{$}", public, "To the account or to sign-in", (*visit).home),
		w.route("GET", "/.well-known/change-password", public, "To the change of password", (*visit).wellKnownChangePassword),

		w.route("GET", "/login", public, "Sign in", (*visit).login),
		w.route("POST", "/login", public, "Sign in", (*visit).postLogin),
		w.route("POST", "/logout", public, "Sign out", (*visit).postLogout),
		w.route("GET", "/signup", public, "Create an account", (*visit).signup),
		w.route("POST", "/signup", public, "Create an account", (*visit).postSignup),
		w.route("POST", "/signup/invitation", public, "Create an account by invitation", (*visit).postInvitation),
		w.route("GET", "/check-mail", public, "A mail is on its way; type its code", (*visit).checkMail),
		w.route("POST", "/check-mail", public, "Confirm an address by code", (*visit).postCheckMail),
		w.route("POST", "/check-mail/resend", public, "Send the confirmation again", (*visit).postResend),
		w.route("GET", "/verify-email", public, "The page behind a mailed link", (*visit).verifyEmail),
		w.route("POST", "/verify-email", public, "Confirm an address by link", (*visit).postVerifyEmail),
		w.route("GET", "/forgot-password", public, "Ask for a new password", (*visit).forgotPassword),
		w.route("POST", "/forgot-password", public, "Ask for a new password", (*visit).postForgotPassword),
		w.route("GET", "/forgot-password/sent", public, "A mail is on its way", (*visit).forgotPasswordSent),
		w.route("GET", "/reset-password", public, "The page behind a mailed link", (*visit).resetPassword),
		w.route("POST", "/reset-password", public, "Choose a new password", (*visit).postResetPassword),
		w.route("GET", "/change-email", public, "The page behind a mailed link", (*visit).changeEmail),
		w.route("POST", "/change-email", public, "Agree to a change of address", (*visit).postChangeEmail),

		w.route("GET", "/account", signedIn, "The account and its devices", (*visit).account),
		w.route("POST", "/account/profile", signedIn, "Change name and language", (*visit).postAccountProfile),
		w.route("GET", "/account/email", signedIn, "Ask for another address", (*visit).accountEmail),
		w.route("POST", "/account/email", signedIn, "Ask for another address", (*visit).postAccountEmail),
		w.route("POST", "/account/email/cancel", signedIn, "Cancel a change of address", (*visit).postAccountEmailCancel),
		w.route("POST", "/account/password", signedIn, "Change the password", (*visit).postAccountPassword),
		w.route("GET", "/account/devices/{id}", fresh, "Ask before a device is signed out", (*visit).device),
		w.route("POST", "/account/devices/{id}", fresh, "Sign out a device", (*visit).postDevice),
		w.route("GET", "/account/other-devices", fresh, "Ask before all other devices are signed out", (*visit).otherDevices),
		w.route("POST", "/account/other-devices", fresh, "Sign out all other devices", (*visit).postOtherDevices),
		w.route("GET", "/not-me", public, "The page behind a mailed link", (*visit).notMe),
		w.route("POST", "/not-me", public, "Say that it was not you", (*visit).postNotMe),
		w.route("GET", "/keep-account", public, "The page behind a mailed link", (*visit).keepAccount),
		w.route("POST", "/keep-account", public, "Undo a deletion", (*visit).postKeepAccount),
		w.route("GET", "/account/activity", signedIn, "What happened to the account", (*visit).activity),
		w.route("GET", "/account/secure", fresh, "Ask before everything is signed out", (*visit).secure),
		w.route("POST", "/account/secure", fresh, "Sign out everywhere and demand a new password", (*visit).postSecure),
		w.route("GET", "/account/data", fresh, "Download or delete what is held about one", (*visit).data),
		w.route("POST", "/account/data/export", fresh, "Download what is held about one", (*visit).postExport),
		w.route("POST", "/account/data/deletion", fresh, "Delete the account after a delay", (*visit).postDeletion),
		w.route("GET", "/reauthenticate", signedIn, "Prove again who you are", (*visit).reauthenticate),
		w.route("POST", "/reauthenticate", signedIn, "Prove again who you are", (*visit).postReauthenticate),

		w.route("GET", "/problems/{code}", public, "What a problem code means", (*visit).problem),
	}
	// Alike for all: nobody is asked who they are, so no answer that a cache may keep sets a cookie; and the page that tells
	// somebody that their host is not served here looks like the others.
	static := w.route("GET", "/static/{name}", public, "Style sheet, icon and script", (*visit).static)
	static.Open, static.AnyHost = true, w.isStatic
	routes = append(routes, static)
	if w.Operations != nil {
		routes = append(routes, w.route("GET", "/docs", public, "The API, readable", (*visit).docs))
	}
	if w.Development {
		routes = append(routes,
			w.route("GET", "/dev/mail", public, "Mails of this development server", (*visit).devMail),
			w.route("GET", "/dev/mail/{id}", public, "The HTML of one mail, sandboxed", (*visit).devMailHTML))
	}
	return routes
}

func (w *Web) route(method, path string, rule authz.Rule, summary string, handle func(*visit)) chain.Route {
	return chain.Route{Method: method, Path: path, Rule: rule, Summary: summary, Page: true,
		Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			handle(w.visit(out, r))
		})}
}
