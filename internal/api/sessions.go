package api

import (
	"context"
	"net/http"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sessions"
)

type userReply struct {
	ID          identity.ID `json:"id" doc:"A UUID."`
	Email       string      `json:"email"`
	DisplayName string      `json:"display_name"`
	Roles       []string    `json:"roles"`
}

type sessionInfo struct {
	ID         identity.ID `json:"id" doc:"A UUID: names the session, opens nothing."`
	CreatedAt  string      `json:"created_at" format:"date-time"`
	LastSeenAt string      `json:"last_seen_at" format:"date-time"`
	ExpiresAt  string      `json:"expires_at" format:"date-time" doc:"The absolute end."`
	FreshUntil string      `json:"fresh_until" format:"date-time" doc:"Until when the last proof of identity counts as recent."`
}

type sessionReply struct {
	User      userReply   `json:"user"`
	Session   sessionInfo `json:"session"`
	CSRFToken string      `json:"csrf_token" doc:"Send it as X-CSRF-Token with every request that changes something."`
}

type signedIn struct {
	sessionReply
	Token string `json:"token,omitempty" doc:"Only with bearer: send it as Authorization: Bearer. It is shown this once."`
}

func describe(s sessions.Session, p sessions.Person, token string) sessionReply {
	roles := p.Roles
	if roles == nil {
		roles = []string{}
	}
	return sessionReply{
		User:      userReply{ID: p.ID, Email: p.Email, DisplayName: p.DisplayName, Roles: roles},
		Session:   sessionInfo{ID: s.ID, CreatedAt: at(s.CreatedMicros), LastSeenAt: at(s.LastSeenMicros), ExpiresAt: at(s.ExpiresMicros), FreshUntil: at(s.FreshMicros)},
		CSRFToken: token,
	}
}

// begin answers with a new session: in cookies, or in the body for a bearer client.
func (a *API) begin(in account.SignedIn) reply[signedIn] {
	body := signedIn{sessionReply: describe(in.Session, in.Person, a.chain.TokenFor(in.Session.ID))}
	if in.Session.Bearer {
		body.Token = in.Token.Reveal()
		return reply[signedIn]{body: &body}
	}
	return reply[signedIn]{body: &body, cookies: func(w http.ResponseWriter) { a.chain.Cookies.StartSession(w, in) }}
}

type loginInput struct {
	Email    string `json:"email" required:"true" maxLength:"254"`
	Password string `json:"password" anyText:"true" required:"true" maxLength:"1024"`
	Remember bool   `json:"remember,omitempty" doc:"Keep the session for 30 days (14 days unused) instead of 12 hours (30 minutes)."`
	Bearer   bool   `json:"bearer,omitempty" doc:"For clients that are no browsers: the token comes in the body, and no cookie is set."`

	Challenge string `json:"challenge,omitempty" maxLength:"2048" doc:"The solution of the challenge, if one was asked for."`
}

func (a *API) login(ctx context.Context, req *chain.Request, in loginInput) (reply[signedIn], error) {
	if in.Bearer && req.Browser {
		return reply[signedIn]{}, errBearer
	}
	out, err := a.accounts.SignIn(ctx, req.Actor, account.SignIn{
		Email: in.Email, Password: in.Password, Remember: in.Remember, Bearer: in.Bearer, DeviceCookie: req.Device, Challenge: in.Challenge, Lang: req.Lang(),
	})
	return a.begin(out), err
}

func (a *API) logout(ctx context.Context, req *chain.Request, _ none) (reply[none], error) {
	return reply[none]{cookies: a.chain.Cookies.EndSession}, a.accounts.SignOut(ctx, req.Actor)
}

// session is the hot route: no decoding, nothing but what the chain has found already, and no reflection.
func (a *API) session(w http.ResponseWriter, in chain.Proved) {
	buffer := a.buffers.Get().(*[]byte)
	text := appendSession((*buffer)[:0], in.Session, in.Person, in.AppendCSRFToken)
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(text) // the client is gone: nobody to tell
	*buffer = text
	a.buffers.Put(buffer)
}

type proofInput struct {
	Password string `json:"password" anyText:"true" required:"true" maxLength:"1024"`
}

func (a *API) reauthenticate(ctx context.Context, req *chain.Request, in proofInput) (reply[signedIn], error) {
	out, err := a.accounts.Reauthenticate(ctx, req.Actor, in.Password, req.Device)
	return a.begin(out), err
}

type deviceInfo struct {
	ID         identity.ID `json:"id"`
	Device     string      `json:"device" doc:"Such as: Chrome on Android."`
	IP         string      `json:"ip"`
	UserAgent  string      `json:"user_agent"`
	CreatedAt  string      `json:"created_at" format:"date-time"`
	LastSeenAt string      `json:"last_seen_at" format:"date-time"`
	ExpiresAt  string      `json:"expires_at" format:"date-time"`
	Current    bool        `json:"current" doc:"This is the session of the request."`
}

type deviceList struct {
	Sessions []deviceInfo `json:"sessions"`
}

func (a *API) listSessions(ctx context.Context, req *chain.Request, _ none) (reply[deviceList], error) {
	found, err := a.accounts.Sessions(ctx, req.Actor)
	out := describeDevices(found, req.Session.ID)
	return reply[deviceList]{body: &out}, err
}

func (a *API) revokeOthers(ctx context.Context, req *chain.Request, _ none) (reply[none], error) {
	return reply[none]{}, a.accounts.RevokeOtherSessions(ctx, req.Actor)
}

type sessionID struct {
	ID identity.ID `path:"id"`
}

// readPath reads the id; what is no id is the same as an id of nothing.
func (s *sessionID) readPath(r *http.Request) (err error) {
	if s.ID, err = identity.ParseID(r.PathValue("id")); err != nil {
		return problem.New(problem.Missing, "not-found", "There is nothing here that you may see.")
	}
	return nil
}

func (a *API) revokeSession(ctx context.Context, req *chain.Request, in sessionID) (reply[none], error) {
	return reply[none]{}, a.accounts.RevokeSession(ctx, req.Actor, in.ID)
}
