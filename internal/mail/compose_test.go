package mail_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/ringwall/ringwall/internal/mail"
)

var update = flag.Bool("update", false, "write the golden files anew")

const origin = "https://id.example.org"

// full is data with every field set, as account fills it.
func full() mail.Data {
	when := time.Date(2026, time.March, 4, 13, 5, 0, 0, time.FixedZone("CET", 3600))
	return mail.Data{
		To: "ada@example.org", DisplayName: "Ada Lovelace", Origin: origin, Service: "Invoices",
		Link: origin + "/auth/verify-email?token=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI", Code: "ABCDEFGH",
		When: when, Address: "203.0.113.7", Device: "Chrome on Android",
		LinkExpires: when.Add(24 * time.Hour), CodeExpires: when.Add(10 * time.Minute),
		Ended: []string{"Firefox on Windows"}, NewEmail: "ada.lovelace@example.net",
	}
}

type variant struct {
	name string
	kind mail.Kind
	data mail.Data
}

// variants are all mails there are, each with the fields that it has in real life.
func variants() []variant {
	edit := func(change func(*mail.Data)) mail.Data {
		d := full()
		change(&d)
		return d
	}
	link := func(path string) func(*mail.Data) {
		return func(d *mail.Data) {
			d.Link, d.LinkExpires, d.CodeExpires, d.Code = origin+path, time.Time{}, time.Time{}, ""
		}
	}
	token := func(path string) func(*mail.Data) {
		return func(d *mail.Data) {
			d.Link, d.Code, d.CodeExpires = origin+path+"?token=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI", "", time.Time{}
		}
	}
	return []variant{
		{"confirm-signup", mail.ConfirmSignup, full()},
		{"already-registered", mail.AlreadyRegistered, edit(link("/auth/login"))},
		{"reset-password", mail.ResetPassword, edit(token("/auth/reset-password"))},
		{"password-changed", mail.PasswordChanged, edit(token("/auth/not-me"))},
		{"session-ended", mail.SessionsEnded, edit(token("/auth/not-me"))},
		{"sessions-ended", mail.SessionsEnded, edit(func(d *mail.Data) {
			token("/auth/not-me")(d)
			d.Ended = append(d.Ended, "Safari on iPhone", "")
		})},
		{"account-locked-until", mail.AccountLocked, edit(func(d *mail.Data) { link("/auth/forgot-password")(d); d.Until = d.When.Add(15 * time.Minute) })},
		{"account-locked", mail.AccountLocked, edit(func(d *mail.Data) { link("/auth/forgot-password")(d); d.Address, d.Device = "", "" })},
		{"approve-address", mail.ApproveAddress, edit(token("/auth/change-email"))},
		{"confirm-address", mail.ConfirmAddress, edit(token("/auth/change-email"))},
		{"address-taken", mail.AddressTaken, edit(link("/auth/login"))},
		{"address-changed", mail.AddressChanged, edit(link("/auth/account"))},
		{"address-left", mail.AddressLeft, edit(link("/auth/forgot-password"))},
		{"invitation", mail.Invitation, edit(func(d *mail.Data) {
			token("/auth/signup")(d)
			d.Link, d.Address, d.Device, d.DisplayName = strings.Replace(d.Link, "?token=", "?invitation=", 1), "", "", ""
		})},
		{"account-created", mail.AccountCreated, edit(func(d *mail.Data) { token("/auth/reset-password")(d); d.Address, d.Device = "", "" })},
		{"new-device", mail.NewDevice, edit(token("/auth/not-me"))},
		{"account-secured", mail.AccountSecured, edit(token("/auth/reset-password"))},
		{"reset-demanded", mail.ResetDemanded, edit(token("/auth/reset-password"))},
		{"deletion-pending", mail.DeletionPending, edit(func(d *mail.Data) { token("/auth/keep-account")(d); d.Until = d.LinkExpires })},
		{"account-deleted", mail.AccountDeleted, edit(func(d *mail.Data) { token("/auth/none")(d); d.Address, d.Device = "", "" })},
		{"alert-opened", mail.AlertOpened, edit(alert)},
		{"alert-closed", mail.AlertClosed, edit(func(d *mail.Data) { alert(d); d.Kind, d.Until = "made-up", d.When.Add(time.Hour) })},
	}
}

// alert makes data of what operators are told.
func alert(d *mail.Data) {
	*d = mail.Data{
		To: d.To, Origin: d.Origin, Service: d.Service, When: d.When, Kind: "spraying", What: "Something odd goes on.", Count: 1234,
		Where: []string{"203.0.113.0/24", "2001:db8:1:2::/64", "…"}, Command: "ringwall limits block 203.0.113.0/24 --for 1h --reason spraying",
	}
}

// Each kind of alert has words of its own, in each language, and one without is told in those of whoever raised it.
func TestAlertsHaveWords(t *testing.T) {
	for _, lang := range []string{"en", "de"} {
		seen := map[string]bool{}
		for _, kind := range []string{"ceiling", "one-address", "spraying", "stuffing", "session-guessing", "foreign-script", "made-up"} {
			d := full()
			alert(&d)
			d.Kind = kind
			m := mail.Compose(mail.AlertOpened, lang, d)
			if seen[m.Text] || !strings.Contains(m.Text, d.Command) || strings.Contains(m.Text, d.What) != (kind == "made-up") {
				t.Errorf("%s in %s:\n%s", kind, lang, m.Text)
			}
			seen[m.Text] = true
		}
	}
}

func TestMails(t *testing.T) {
	for _, v := range variants() {
		for _, lang := range []string{"en", "de"} {
			t.Run(v.name+"."+lang, func(t *testing.T) {
				m := mail.Compose(v.kind, lang, v.data)
				got := fmt.Sprintf("Subject: %s\n\n%s\n%s", m.Subject, m.Text, m.HTML)
				golden := filepath.Join("testdata", v.name+"."+lang+".golden")
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("Compose(%s, %s) differs from %s (-want +got):\n%s", v.name, lang, golden, diff)
				}
				if strings.ContainsAny(m.Subject+m.Text, "{}") {
					t.Errorf("a placeholder was left in:\n%s", m.Text)
				}
				if size := len(m.Text) + len(m.HTML); size > 60_000 {
					t.Errorf("size = %d, want at most 60000", size)
				}
				if n := strings.Count(m.HTML, "<a "); n > 1 {
					t.Errorf("%d links in the HTML, want one act", n)
				}
				if strings.Contains(m.HTML, " style=") || strings.Contains(m.HTML, "<img") || strings.Contains(m.HTML, "<script") {
					t.Error("the HTML holds inline style, images or scripts")
				}
			})
		}
	}
}

// What the text says, the HTML says in the same words, and the other way round.
func TestTextAndHTMLMatch(t *testing.T) {
	words := func(s string) string {
		return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \n-:", r) }), " ")
	}
	for _, v := range variants() {
		m := mail.Compose(v.kind, "en", v.data)
		var said []string
		tokens := html.NewTokenizer(strings.NewReader(m.HTML))
		skip := ""
		for tokens.Next() != html.ErrorToken {
			switch token := tokens.Token(); {
			case token.Type == html.StartTagToken && (token.Data == "style" || token.Data == "title" || token.Data == "h1"):
				skip = token.Data
			case token.Type == html.EndTagToken && token.Data == skip:
				skip = ""
			case token.Type == html.TextToken && skip == "":
				said = append(said, token.Data)
			}
		}
		if diff := cmp.Diff(words(m.Text), words(strings.Join(said, " "))); diff != "" {
			t.Errorf("%s: text and HTML differ (-text +html):\n%s", v.name, diff)
		}
	}
}

func TestLanguage(t *testing.T) {
	for tag, want := range map[string]string{"": "Confirm", "en-GB": "Confirm", "de": "Bestätigen", "de-AT": "Bestätigen", "DE_ch": "Bestätigen", "fr": "Confirm", "../de": "Confirm", "deutsch": "Confirm"} {
		if m := mail.Compose(mail.ConfirmSignup, tag, full()); !strings.HasPrefix(m.Subject, want) {
			t.Errorf("Compose(%q) has subject %q, want it to begin with %q", tag, m.Subject, want)
		}
	}
}

func TestEachMailHasItsOwnID(t *testing.T) {
	a, b := mail.Compose(mail.ConfirmSignup, "en", full()), mail.Compose(mail.ConfirmSignup, "en", full())
	if a.ID == b.ID || a.ID.IsZero() {
		t.Errorf("ids %s and %s, want two different ones", a.ID, b.ID)
	}
}

// An attacker signs up or signs in with words of their choice, and a mail carries them to somebody else.
func TestStrangersWordsStayWords(t *testing.T) {
	attacks := []string{
		"<script>alert(1)</script>", "<b>Eve", `"><a href=https://evil.example>`, "Eve\r\nBcc: victim@example.net", "Eve\nSubject: won",
		"visit evil.example now", "https://evil.example/x", "www.evil", "//evil", "a@evil", "{time}{service}", "{{.Link}}",
		"\u202Emoc.live", "e\u200bvil", strings.Repeat("long ", 5000), "\x00\x1b[31m", "\xff\xfe", "line\u2028two", "javascript:alert(1)", "&lt;script&gt;",
	}
	for _, v := range variants() {
		clean := mail.Compose(v.kind, "en", v.data)
		for _, attack := range attacks {
			d := v.data
			d.DisplayName, d.Device, d.Ended = attack, attack, []string{attack}
			m := mail.Compose(v.kind, "en", d)
			if v.name != "sessions-ended" && m.Subject != clean.Subject {
				t.Errorf("%s: %q changed the subject to %q", v.name, attack, m.Subject)
			}
			if strings.ContainsAny(m.Subject, "\r\n") || strings.ContainsAny(m.Text, "\r\x00\x1b\u202e\u200b\u2028") {
				t.Errorf("%s: %q brought control characters in", v.name, attack)
			}
			for _, bad := range []string{"<script", "<b>", "evil.example", "Bcc:\n", "\nSubject:", "\nBcc", "moc.live"} {
				if strings.Contains(m.HTML, bad) || strings.Contains(m.Text, bad) && !strings.HasPrefix(bad, "<") {
					t.Errorf("%s: %q put %q into the mail", v.name, attack, bad)
				}
			}
			if diff := cmp.Diff(elements(clean.HTML), elements(m.HTML)); diff != "" {
				t.Errorf("%s: %q changed the elements of the HTML:\n%s", v.name, attack, diff)
			}
			if len(m.Text)+len(m.HTML) > 60_000 {
				t.Errorf("%s: %.20q made the mail too long", v.name, attack)
			}
		}
	}
}

// elements is the sequence of tags, without the lines that may be left out.
func elements(page string) (tags []string) {
	tokens := html.NewTokenizer(strings.NewReader(page))
	for tokens.Next() != html.ErrorToken {
		token := tokens.Token()
		optional := token.Data == "dt" || token.Data == "dd" || token.Data == "li"
		if token.Type != html.TextToken && !optional {
			tags = append(tags, token.String())
		}
	}
	return tags
}

// Sign-up mails go to people who have proved nothing: the name that came with the sign-up is the stranger's.
func TestMailsThatStrangersCauseCarryNoName(t *testing.T) {
	for _, kind := range []mail.Kind{mail.ConfirmSignup, mail.AlreadyRegistered, mail.ConfirmAddress, mail.AddressTaken} {
		d := full()
		d.DisplayName = "You won call 555 0100"
		if m := mail.Compose(kind, "en", d); strings.Contains(m.Text+m.HTML, "won") {
			t.Errorf("kind %d carries the name:\n%s", kind, m.Text)
		}
	}
	d := full()
	d.DisplayName = "Seán O'Neill <3"
	m := mail.Compose(mail.ResetPassword, "en", d)
	if !strings.Contains(m.Text, "Hello Seán O'Neill <3,") || !strings.Contains(m.HTML, "Hello Seán O&#39;Neill &lt;3,") {
		t.Errorf("the owner's name is not shown, or not escaped:\n%s\n%s", m.Text, m.HTML)
	}
}

func TestLinksLeadToOurOriginOnly(t *testing.T) {
	for _, link := range []string{
		"https://evil.example/auth/reset-password?token=x", origin + ".evil.example/x", origin + "@evil.example/x", origin, "javascript:alert(1)",
		"//id.example.org/x", origin + "/x\r\nBcc: v@example.net", origin + "/ x", origin + `/"><script>`, "http://id.example.org/x", origin + "/%zz", "",
	} {
		d := full()
		d.Link = link
		m := mail.Compose(mail.ResetPassword, "en", d)
		if strings.Contains(m.HTML, "<a ") || strings.Contains(m.Text, "Choose a new password:") {
			t.Errorf("link %q stands in the mail:\n%s", link, m.Text)
		}
	}
	d := full()
	d.Origin = ""
	if m := mail.Compose(mail.ResetPassword, "en", d); strings.Contains(m.HTML, "<a ") {
		t.Error("without an origin a link stands in the mail")
	}
}

func TestServiceDefaultsToHost(t *testing.T) {
	d := full()
	d.Service = ""
	if m := mail.Compose(mail.ConfirmSignup, "en", d); m.Subject != "Confirm your address for id.example.org" {
		t.Errorf("subject = %q", m.Subject)
	}
	d.Service = "Evil\r\nBcc: v@example.net"
	if m := mail.Compose(mail.ConfirmSignup, "en", d); strings.ContainsAny(m.Subject, "\r\n") {
		t.Errorf("subject = %q, want one line", m.Subject)
	}
}

// The mail to an owner is made from the same data as that to a newcomer, which has a link that works once and a code.
func TestOnlyOneUseLinksExpire(t *testing.T) {
	for _, v := range variants() {
		d := v.data
		d.Code, d.CodeExpires, d.LinkExpires = "ABCDEFGH", d.When.Add(time.Minute), d.When.Add(time.Hour)
		m := mail.Compose(v.kind, "en", d)
		oneUse := !slices.Contains([]mail.Kind{mail.AlreadyRegistered, mail.AccountLocked, mail.AccountDeleted, mail.AddressTaken, mail.AddressChanged, mail.AddressLeft, mail.AlertOpened, mail.AlertClosed}, v.kind)
		if got := strings.Contains(m.Text, "works once"); got != oneUse {
			t.Errorf("%s: says that its link works once: %v, want %v", v.name, got, oneUse)
		}
		if got := strings.Contains(m.Text+m.HTML, "ABCD"); got != (v.kind == mail.ConfirmSignup) {
			t.Errorf("%s: shows the code: %v", v.name, got)
		}
	}
}

func TestNoKindIsNoMail(t *testing.T) {
	for _, kind := range []mail.Kind{0, 200} {
		if m := mail.Compose(kind, "en", full()); m.Subject != "" || m.Text != "" {
			t.Errorf("Compose(%d) = %+v, want nothing to send", kind, m)
		}
	}
}

// FuzzCompose: no words of a stranger change subject, links or elements.
func FuzzCompose(f *testing.F) {
	f.Add("Ada", "Chrome on Android")
	f.Add("<script>", "evil.example")
	f.Add("\r\nBcc: x@y", "{service}")
	clean := mail.Compose(mail.ResetPassword, "en", full())
	f.Fuzz(func(t *testing.T, name, device string) {
		d := full()
		d.DisplayName, d.Device = name, device
		m := mail.Compose(mail.ResetPassword, "en", d)
		if m.Subject != clean.Subject {
			t.Errorf("subject = %q, want %q", m.Subject, clean.Subject)
		}
		if diff := cmp.Diff(elements(clean.HTML), elements(m.HTML)); diff != "" {
			t.Errorf("elements changed:\n%s", diff)
		}
		if strings.Count(m.Text, "://") != strings.Count(clean.Text, "://") || strings.Count(m.Text, "\r") != 0 {
			t.Errorf("text gained a link or a carriage return:\n%s", m.Text)
		}
	})
}
