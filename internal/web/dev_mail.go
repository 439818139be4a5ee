package web

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
)

// sandbox is the policy of a mail's HTML: no script, no form, no request, an origin of its own; framed by us alone.
const sandbox = "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// devMessage is a mail as the page and the JSON of /dev/mail show it.
type devMessage struct {
	ID      string   `json:"-"`
	To      string   `json:"to"`
	Subject string   `json:"subject"`
	Text    string   `json:"text"`
	HTML    string   `json:"html"`
	Links   []string `json:"links"`
	Code    string   `json:"code"`
}

var (
	linkInText = regexp.MustCompile(`https?://[^\s<>"]+`)
	codeInText = regexp.MustCompile(`(?m)^\s*([A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4})\s*$`)
)

func devMessageOf(m mail.Message) devMessage {
	d := devMessage{ID: m.ID.String(), To: m.To, Subject: m.Subject, Text: m.Text, HTML: m.HTML, Links: []string{}}
	for _, link := range linkInText.FindAllString(m.Text, -1) {
		if strings.Count(link, "/") > 2 { // the footer's bare origin is no act
			d.Links = append(d.Links, link)
		}
	}
	if code := codeInText.FindStringSubmatch(m.Text); code != nil {
		d.Code = code[1]
	}
	return d
}

func (v *visit) devMessages() ([]devMessage, error) {
	sent, err := v.web.Mails(v.r.Context())
	list := make([]devMessage, 0, len(sent))
	for _, m := range sent {
		if !m.Decoy {
			list = append(list, devMessageOf(m))
		}
	}
	return list, err
}

// devMail answers GET /dev/mail, for programs too.
func (v *visit) devMail() {
	list, err := v.devMessages()
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	h := v.w.Header()
	h.Add("Vary", "Accept")
	if strings.Contains(v.r.Header.Get("Accept"), "application/json") {
		v.devMailJSON(list)
		return
	}
	h.Set("Content-Security-Policy", strings.TrimPrefix(h.Get("Content-Security-Policy")+"; frame-src 'self'", "; "))
	p := v.page("dev_mail")
	p.Wide = true
	p.Body = list
	v.show(http.StatusOK, p)
}

func (v *visit) devMailJSON(list []devMessage) {
	body, err := json.Marshal(struct {
		Messages []devMessage `json:"messages"`
	}{list})
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(append(body, '\n')) // the client is gone: nobody to tell
}

// devMailHTML answers GET /dev/mail/{id}: a mail's HTML as a mail program would show it, and able to do nothing.
func (v *visit) devMailHTML() {
	list, err := v.devMessages()
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	for _, m := range list {
		if m.ID == v.r.PathValue("id") {
			h := v.w.Header()
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Security-Policy", sandbox)
			h.Set("X-Frame-Options", "SAMEORIGIN")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-store")
			v.w.WriteHeader(http.StatusOK)
			_, _ = v.w.Write([]byte(m.HTML)) // the client is gone: nobody to tell
			return
		}
	}
	v.web.Fail(v.w, v.r, problem.New(problem.Missing, "not-found", "There is nothing here that you may see."))
}
