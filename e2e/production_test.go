package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/mail/smtpsink"
	"github.com/ringwall/ringwall/ringwalltest"
)

var linkOfMail = regexp.MustCompile(`https://\S+token=\S+`)

// Outside of development mails go out by SMTP, HSTS stands on every answer, and nothing of development exists.
func TestProduction(t *testing.T) {
	sink, err := smtpsink.Open(smtpsink.Options{Encryption: smtpsink.None})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	s := ringwalltest.StartApp(t, ringwall.Options{SMTP: ringwall.NewSecret(sink.URL()), MailFrom: "Example <login@example.org>"}, application)
	c := s.Client()
	want(t, "sign up", signUp(c, "prod@example.org", ringwalltest.Password), 202, "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	mails, err := sink.Wait(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(linkOfMail.FindString(mails[0].Text))
	if err != nil || !strings.HasPrefix(link.String(), s.URL) {
		t.Fatalf("the mail has no link of ours:\n%s", mails[0].Text)
	}
	want(t, "confirm", c.Post("/auth/v1/email/verify", object{"token": link.Query().Get("token")}), 204, "")
	c.SignIn("prod@example.org", ringwalltest.Password)
	html := s.Client()
	html.Header.Set("Accept", "application/json")
	for name, got := range map[string]ringwalltest.Answer{
		"200": c.Get("/auth/v1/session"), "200 app": c.Get("/"), "401": s.Client().Get("/"), "303": s.Client().Get("/auth/account"),
		"404, the mails of development": html.Get("/auth/dev/mail"), "422": c.Post("/auth/v1/password/forgot", object{}),
	} {
		if status := fmt.Sprint(got.Status); !strings.HasPrefix(name, status) {
			t.Errorf("%s: the status is %s", name, status)
		}
		if hsts := got.Header.Get("Strict-Transport-Security"); hsts != "max-age=63072000; includeSubDomains" {
			t.Errorf("%s: Strict-Transport-Security = %q", name, hsts)
		}
	}
	want(t, "the mails of development", html.Get("/auth/dev/mail"), 404, "not-found")
}
