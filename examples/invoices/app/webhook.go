package app

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/outbound"
	"github.com/ringwall/ringwall/session"
)

const (
	sample      = `{"type":"invoice.test","data":{"number":"2026-001"}}`
	shownAnswer = 2 << 10 // bytes
)

// hookAnswer is what a webhook answered.
type hookAnswer struct{ Status, Text string }

// webhookPage is what the page shows.
type webhookPage struct {
	Hosts  []string
	Answer *hookAnswer
}

func (a *App) webhookView() view {
	return view{page: "webhook", Title: "Webhook", Nav: "/webhook-target", Body: webhookPage{Hosts: a.config.WebhookHosts}}
}

// chooseWebhook answers GET /webhook-target.
func (a *App) chooseWebhook(w http.ResponseWriter, r *http.Request, _ *session.Session) error {
	a.show(w, r, a.webhookView())
	return nil
}

type webhookForm struct {
	URL string `form:"url" required:"true" maxLength:"2000"`
}

// tryWebhook answers POST /webhook-target: it sends a sample to an address that somebody chose, and shows the answer.
func (a *App) tryWebhook(w http.ResponseWriter, r *http.Request, _ *session.Session) error {
	v := a.webhookView()
	in, err := input.DecodeForm[webhookForm](r)
	var got hookAnswer
	if err == nil {
		got, err = a.call(r, in.URL)
	}
	if err != nil {
		return a.again(w, r, v, err)
	}
	v.Values = map[string]string{"url": in.URL}
	v.Body = webhookPage{a.config.WebhookHosts, &got}
	a.show(w, r, v)
	return nil
}

// call asks the address. Why it failed is told in words of ours: an error of the network would draw a map of it.
func (a *App) call(r *http.Request, address string) (hookAnswer, error) {
	no := failure{status: http.StatusUnprocessableEntity, field: "url"}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodPost, address, strings.NewReader(sample))
	if err != nil {
		no.detail = "Write an address such as https://example.com/hook."
		return hookAnswer{}, no
	}
	ask.Header.Set("Content-Type", "application/json")
	answer, err := a.hooks.Do(ask)
	switch {
	case errors.Is(err, outbound.ErrPlain):
		no.detail = "The address must begin with https://."
		return hookAnswer{}, no
	case errors.Is(err, outbound.ErrDenied), errors.Is(err, outbound.ErrUnlisted):
		no.detail = "A webhook may not go there. Choose a host from the list."
		return hookAnswer{}, no
	case err != nil:
		no.detail = "There was no answer. Is the address right, and its server on the internet?"
		return hookAnswer{}, no
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, shownAnswer))
	if err != nil {
		no.detail = "The answer broke off."
		return hookAnswer{}, no
	}
	return hookAnswer{answer.Status, strings.ToValidUTF8(string(text), "�")}, nil
}

// hookClient calls listed hosts at public addresses, and nobody else. A list without entries is not none: it lists nobody.
func (a *App) hookClient() *http.Client {
	o := a.config.Outbound
	o.Hosts = append([]string{}, a.config.WebhookHosts...)
	return outbound.Client(o)
}
