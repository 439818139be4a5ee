package chain

import (
	"net/http"
	"time"

	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/secret"
)

// The lives of cookies that do not follow a session (D02).
const (
	deviceLife = 400 * 24 * time.Hour
	flowLife   = 10 * time.Minute
)

// Cookies are the cookies of Ringwall (D02): each with its name and attributes in one place.
type Cookies struct {
	session, pre, device, flow *headers.Cookie
	now                        func() time.Time
}

func newCookies(now func() time.Time) (*Cookies, error) {
	c := &Cookies{now: now}
	for name, cookie := range map[string]**headers.Cookie{
		"__Host-ringwall": &c.session, "__Host-ringwall-pre": &c.pre, "__Host-ringwall-device": &c.device, "__Host-ringwall-flow": &c.flow,
	} {
		made, err := headers.NewCookie(name, headers.CookieOptions{})
		if err != nil {
			return nil, err
		}
		*cookie = made
	}
	return c, nil
}

// StartSession sets the session's cookie, for the browser's session or, if it is remembered, until its absolute end; and
// the known device's. What the browser held before sign-in goes.
func (c *Cookies) StartSession(w http.ResponseWriter, in account.SignedIn) {
	var life time.Duration
	if in.Session.Remembered {
		// A second less than the server's, so that the cookie never outlives the session (S046).
		life = time.UnixMicro(in.Session.ExpiresMicros).Sub(c.now()) - time.Second
	}
	c.put(w, c.session, in.Token, life)
	c.put(w, c.device, in.DeviceCookie, deviceLife)
	c.pre.Delete(w.Header())
}

// EndSession takes the session's cookie back, and what was cached with it. The known device stays.
func (c *Cookies) EndSession(w http.ResponseWriter) {
	c.session.Delete(w.Header())
	c.pre.Delete(w.Header())
	c.flow.Delete(w.Header())
	w.Header().Set("Clear-Site-Data", `"cache"`)
}

// RememberDevice sets the known device's cookie.
func (c *Cookies) RememberDevice(w http.ResponseWriter, device secret.Text) {
	c.put(w, c.device, device, deviceLife)
}

// SetFlow marks the browser of a pending sign-up.
func (c *Cookies) SetFlow(w http.ResponseWriter, flow secret.Text) { c.put(w, c.flow, flow, flowLife) }

// ClearFlow ends the mark of [Cookies.SetFlow].
func (c *Cookies) ClearFlow(w http.ResponseWriter) { c.flow.Delete(w.Header()) }

// put sets a value of our own making, which always fits; a cookie that did not would only be missing.
func (c *Cookies) put(w http.ResponseWriter, cookie *headers.Cookie, value secret.Text, life time.Duration) {
	if value.IsZero() {
		return
	}
	if err := cookie.Set(w.Header(), value.Reveal(), max(life, 0)); err != nil {
		cookie.Delete(w.Header())
	}
}

// read is the value of a cookie; "" if there is none, or more than one.
func read(cookie *headers.Cookie, r *http.Request) string {
	value, err := cookie.Read(r)
	if err != nil {
		return ""
	}
	return value
}
