package web

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

// visit is one request for a page, and its answer.
type visit struct {
	web  *Web
	w    http.ResponseWriter
	r    *http.Request
	ask  *chain.Request // nil only where the chain did not get that far
	lang *language
}

func (w *Web) visit(out http.ResponseWriter, r *http.Request) *visit {
	ask := w.request(r.Context())
	return &visit{web: w, w: out, r: r, ask: ask, lang: w.languageOf(r, ask)}
}

func (v *visit) by() identity.Actor { return v.ask.Actor }

// page is what a template shows.
type page struct {
	name     string
	Wide     bool // the width of the account, not of a form
	Notice   string
	Alert    *alert
	Values   map[string]string // what was typed, by field; never a password
	Faults   map[string]string // what to mend, by field
	ReturnTo string
	Signed   bool    // somebody is signed in, so the frame offers to sign out
	Puzzle   *puzzle // what the browser must solve first
	Body     any

	form  string   // under which name the page's form may need a challenge; "": it never does
	known []string // the fields that the page shows, so that a fault can link to them
	proof string   // the field that holds the password of a known person, where a failed proof tells no secret
	csrf  func() string
}

// CSRF is the token of a form. Asking makes it, so pages without a form cost none.
func (p *page) CSRF() string { return p.csrf() }

// page starts a page with what every page has. Known are the names of its fields.
func (v *visit) page(name string, known ...string) *page {
	p := &page{name: name, Values: map[string]string{}, Faults: map[string]string{}, known: known, csrf: func() string { return "" }}
	if v.ask != nil {
		p.Signed = v.ask.SignedIn
		p.csrf = func() string { return v.web.token(v.ask) }
	}
	if v.r.Method != http.MethodPost {
		query := v.r.URL.Query()
		p.ReturnTo = v.returnPath(query.Get("return_to"))
		if key, ok := done[query.Get("done")]; ok {
			p.Notice = v.lang.say(key)
		}
	}
	return p
}

// done are the notices that a redirect may ask for: a closed list, so that no link can put words on our pages.
var done = map[string]string{
	"signed-out":          "done.signed-out",
	"mail-sent":           "done.mail-sent",
	"email-confirmed":     "done.email-confirmed",
	"password-reset":      "done.password-reset",
	"profile-saved":       "done.profile-saved",
	"email-asked":         "done.email-asked",
	"email-cancelled":     "done.email-cancelled",
	"email-half":          "done.email-half",
	"email-changed":       "done.email-changed",
	"email-changed-out":   "done.email-changed-out",
	"password-changed":    "done.password-changed",
	"device-signed-out":   "done.device-signed-out",
	"devices-signed-out":  "done.devices-signed-out",
	"account-secured":     "done.account-secured",
	"account-kept":        "done.account-kept",
	"deletion-scheduled":  "done.deletion-scheduled",
	"invitation-accepted": "done.invitation-accepted",
}

// show renders p. A template that fails is an error page, never half a page.
func (v *visit) show(status int, p *page) {
	var body bytes.Buffer
	one, err := v.lang.pages[p.name]()
	if err == nil {
		err = one.ExecuteTemplate(&body, "page", p)
	}
	if err != nil {
		if p.name != "error" {
			v.web.Fail(v.w, v.r, err)
			return
		}
		body.Reset()
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang.tag)
	h.Add("Vary", "Accept-Language")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Del("Content-Encoding")
	h.Del("ETag")
	v.w.WriteHeader(status)
	_, _ = body.WriteTo(v.w) // the client is gone: nobody to tell
}

// again shows the page that was posted once more, with what err says about it. What no form can mend is an error page.
func (v *visit) again(p *page, err error) {
	e := problem.From(err)
	mendable := e.Kind == problem.Invalid || e.Kind == problem.TooMany || e.Code == "login-failed" || e.Code == "password-required" || e.Code == "challenge-required" || e.Code == "busy" ||
		e.Code == "reset-required" || e.Code == "deletion-pending" || e.Code == "signup-closed" && p.name == "signup"
	if !mendable {
		v.web.Fail(v.w, v.r, err)
		return
	}
	v.blame(p, e)
	switch {
	case e.Code == "challenge-required":
		p.challenged(e)
	case p.form != "":
		v.askFor(p, p.form)
	}
	problem.WriteHead(v.w.Header(), e)
	v.show(e.Kind.Status(), p)
}

// seeOther ends a visit with 303, to a path of ours and a notice from the closed list (or none).
func (v *visit) seeOther(path, notice, returnTo string) {
	query := url.Values{}
	if notice != "" {
		query.Set("done", notice)
	}
	if returnTo != "" {
		query.Set("return_to", returnTo)
	}
	target := v.web.Prefix + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	v.redirect(target)
}

// redirect answers 303. The target is a path of ours or one that [visit.returnPath] has passed.
func (v *visit) redirect(target string) {
	h := v.w.Header()
	h.Set("Location", target)
	h.Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusSeeOther)
}
