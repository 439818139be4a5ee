package web_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/mail"
)

func TestMailsAsJSON(t *testing.T) {
	res := newHouse(t).get("/auth/dev/mail", "Accept", "application/json")
	var got struct {
		Messages []struct {
			To, Subject, Text, HTML, Code string
			Links                         []string
		}
	}
	if err := json.Unmarshal([]byte(bodyOf(t, res)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Messages) != 1 || got.Messages[0].Code != "ABCD-EFGH" || len(got.Messages[0].Links) != 1 || got.Messages[0].Links[0] != "https://id.example.org/auth/verify-email?token=MTIz" {
		t.Errorf("messages = %+v", got.Messages)
	}
	h := newHouse(t)
	h.mails = nil
	if body := bodyOf(t, h.get("/auth/dev/mail", "Accept", "application/json")); body != `{"messages":[]}`+"\n" {
		t.Errorf("an empty box is %s", body)
	}
}

func TestRealMailsAreUnderstood(t *testing.T) {
	for _, lang := range []string{"en", "de"} {
		h := newHouse(t)
		h.mails = []mail.Message{mail.Compose(mail.ConfirmSignup, lang, mail.Data{To: "ada@example.org", Origin: "https://id.example.org", Service: "Invoices",
			Link: "https://id.example.org/auth/verify-email?token=MTIz", Code: "ABCDEFGH", When: now})}
		body := bodyOf(t, h.get("/auth/dev/mail", "Accept", "application/json"))
		if !strings.Contains(body, `"links":["https://id.example.org/auth/verify-email?token=MTIz"],"code":"ABCD-EFGH"`) {
			t.Errorf("%s: %s", lang, body)
		}
	}
}
