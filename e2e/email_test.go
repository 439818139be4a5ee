package e2e_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

type pendingEmail struct {
	Email     string `json:"email"`
	ExpiresAt string `json:"expires_at"`
	Approved  bool   `json:"approved"`
	Confirmed bool   `json:"confirmed"`
}

// pending is the change of address that somebody sees waiting; nil: none.
func pending(t *testing.T, c *ringwalltest.Client) *pendingEmail {
	t.Helper()
	var out struct {
		EmailChange *pendingEmail `json:"email_change"`
	}
	c.Get("/auth/v1/me").Into(t, &out)
	return out.EmailChange
}

// asks asks for another address and returns the tokens of the links to the old and to the new one.
func asks(t *testing.T, s *ringwalltest.Server, c *ringwalltest.Client, old, wanted string) (approve, confirm string) {
	t.Helper()
	mails := func(to string) []ringwalltest.Mail { // those about sign-ins from new devices come when they like
		return slices.DeleteFunc(s.Mails(to), func(m ringwalltest.Mail) bool { return strings.HasPrefix(m.Subject, "New sign-in") })
	}
	toOld, toNew := len(mails(old)), len(mails(wanted))
	want(t, "ask for "+wanted, c.Post("/auth/v1/me/email", object{"email": wanted, "password": ringwalltest.Password}), 202, "")
	within(t, 20*time.Second, "mails to both addresses", func() bool { return len(mails(old)) > toOld && len(mails(wanted)) > toNew })
	return mails(old)[0].Token(), mails(wanted)[0].Token()
}

// use uses a link of a change of address.
func use(c *ringwalltest.Client, token string) ringwalltest.Answer {
	return c.Post("/auth/v1/email/change", object{"token": token})
}

func isChanged(t *testing.T, got ringwalltest.Answer) bool {
	t.Helper()
	var out struct{ Changed bool }
	got.Into(t, &out)
	return out.Changed
}

func TestChangeOfAddress(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		for _, order := range []string{"approve", "confirm"} {
			old, wanted := order+"-first@example.org", "New."+order+"@Example.net"
			c := s.SignIn(old)
			elsewhere := signedIn(s, old)
			want(t, "forgot", s.Client().Post("/auth/v1/password/forgot", object{"email": old}), 202, "")
			reset := mailAbout(t, s, old, "Choose a new password", 1).Token()
			approve, confirm := asks(t, s, c, old, wanted)
			if got := pending(t, c); got == nil || !strings.EqualFold(got.Email, wanted) || got.Approved || got.Confirmed {
				t.Errorf("GET me shows %+v", got)
			}
			first, second := approve, confirm
			if order == "confirm" {
				first, second = confirm, approve
			}
			c.Header.Set("Accept", "text/html")
			for range 2 { // looking uses nothing up
				want(t, "the page", c.Get("/auth/change-email?token="+first), 200, "")
			}
			c.Header.Del("Accept")
			got := use(c, first)
			want(t, "the first link", got, 200, "")
			if isChanged(t, got) || myself(t, c).Email != old {
				t.Error("one link changed the address")
			}
			want(t, "the first link again", use(c, first), 422, "link-invalid")
			if got := pending(t, c); got == nil || got.Approved != (order == "approve") || got.Confirmed != (order == "confirm") {
				t.Errorf("GET me shows %+v", got)
			}
			got = use(c, second)
			want(t, "the second link", got, 200, "")
			if !isChanged(t, got) || !strings.EqualFold(myself(t, c).Email, wanted) || pending(t, c) != nil {
				t.Errorf("after both links: %s, %+v", got.Body, myself(t, c))
			}
			want(t, "the second link again", use(c, second), 422, "link-invalid")
			want(t, "another session", elsewhere.Get("/auth/v1/me"), 401, "unauthenticated")
			want(t, "a link to the old address", s.Client().Post("/auth/v1/password/reset", object{"token": reset, "password": newPassword}), 422, "link-invalid")
			want(t, "sign in with the old address", login(s.Client(), old, ringwalltest.Password), 401, "login-failed")
			want(t, "sign in with the new one", login(s.Client(), strings.ToLower(wanted), ringwalltest.Password), 200, "")
			if notice := mailAbout(t, s, old, "was changed", 1); !strings.Contains(notice.Subject, "was changed") || notice.Token() != "" || !strings.Contains(strings.ToLower(notice.Text), strings.ToLower(wanted)) {
				t.Errorf("the notice to the old address is %q", notice.Subject)
			}
			if notice := mailAbout(t, s, strings.ToLower(wanted), "has a new address", 1); notice.Token() != "" {
				t.Errorf("the notice to the new address has a token: %s", notice.Text)
			}
			// The old address is free again.
			s.SignUp(old)
		}
		reasons := map[any]int{}
		for _, e := range events(t, s, "user_updated") {
			reasons[e["reason"]]++
			private, _ := e["private"].(object)
			if old, _ := private["old_email"].(string); !strings.HasSuffix(old, "-first@example.org") {
				t.Errorf("the event %v does not hold the old address: %v", e["reason"], private)
			}
		}
		for reason, n := range map[string]int{"address change requested": 2, "address change approved": 1, "address change confirmed": 1, "address changed": 2} {
			if reasons[reason] != n {
				t.Errorf("%d events %q, want %d", reasons[reason], reason, n)
			}
		}
	})
}

func TestChangeOfAddressNeedsThePasswordAndAnAddress(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const old = "proof@example.org"
		c := s.SignIn(old)
		before := len(s.Mails(old))
		ask := func(c *ringwalltest.Client, email, password string) ringwalltest.Answer {
			return c.Post("/auth/v1/me/email", object{"email": email, "password": password})
		}
		want(t, "no session", ask(s.Client(), "new@example.org", ringwalltest.Password), 401, "unauthenticated")
		want(t, "no address", ask(c, "new at example", ringwalltest.Password), 422, "invalid")
		want(t, "too long an address", ask(c, strings.Repeat("a", 64)+"@example.org", ringwalltest.Password), 422, "invalid") // C060
		want(t, "the same address", ask(c, "Proof@EXAMPLE.org", ringwalltest.Password), 422, "invalid")
		for range 5 {
			want(t, "a wrong password", ask(c, "new@example.org", "not the password, surely"), 401, "login-failed")
		}
		want(t, "guessing", ask(c, "new@example.org", ringwalltest.Password), 429, "too-many-requests")
		forged := signedIn(s, old)
		forged.CSRF = ""
		want(t, "without a token", ask(forged, "new@example.org", ringwalltest.Password), 403, "csrf")
		want(t, "another session is not barred by that", ask(signedIn(s, old), "new@example.org", ringwalltest.Password), 202, "")
		s.Mail(old, before+1)
		if n := len(s.Mails("new@example.org")); n > 1 {
			t.Errorf("%d mails to the new address, want one", n)
		}
	})
}

// C062, D17: whether an address has an account is told to its owner alone, not to somebody who is signed in.
func TestChangeToATakenAddressLooksLikeAny(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("taken@example.org")
		a, b := s.SignIn("one@example.org"), s.SignIn("two@example.org")
		free := a.Post("/auth/v1/me/email", object{"email": "free@example.org", "password": ringwalltest.Password})
		taken := b.Post("/auth/v1/me/email", object{"email": "Taken@Example.org", "password": ringwalltest.Password})
		want(t, "a free address", free, 202, "")
		sameAnswer(t, "ask", free, taken)
		if x, y := pending(t, a), pending(t, b); x == nil || y == nil || x.Approved || y.Approved || x.Confirmed || y.Confirmed {
			t.Errorf("GET me shows %+v and %+v", x, y)
		}
		if notice := s.Mail("taken@example.org", 2); notice.Token() != "" || !strings.Contains(notice.Subject, "already has an account") || strings.Contains(notice.Text, "two@") {
			t.Errorf("the owner is told: %s", notice.Text)
		}
		got := use(b, s.Mail("two@example.org", 2).Token())
		want(t, "the old address agrees", got, 200, "")
		if isChanged(t, got) || myself(t, b).Email != "two@example.org" {
			t.Error("an address was taken from its owner")
		}
		want(t, "the owner signs in", login(s.Client(), "taken@example.org", ringwalltest.Password), 200, "")
	})
}

// Two people and a sign-up want one address, and click at once: one gets it, and the others are told that their links
// work no more.
func TestOneAddressGoesToOne(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const wanted = "wanted@example.net"
		one, two := s.SignIn("one@example.org"), s.SignIn("two@example.org")
		approveOne, confirmOne := asks(t, s, one, "one@example.org", wanted)
		approveTwo, confirmTwo := asks(t, s, two, "two@example.org", wanted)
		newcomer := s.Client()
		want(t, "sign up", signUp(newcomer, wanted, ringwalltest.Password), 202, "")
		link := s.Mail(wanted, 3).Token()
		want(t, "one approves", use(one, approveOne), 200, "")
		want(t, "two approves", use(two, approveTwo), 200, "")
		acts := []func() (ringwalltest.Answer, error){
			func() (ringwalltest.Answer, error) {
				return one.Try("POST", "/auth/v1/email/change", object{"token": confirmOne})
			},
			func() (ringwalltest.Answer, error) {
				return two.Try("POST", "/auth/v1/email/change", object{"token": confirmTwo})
			},
			func() (ringwalltest.Answer, error) {
				return newcomer.Try("POST", "/auth/v1/email/verify", object{"token": link})
			},
		}
		won := fifty(func(i int) bool {
			if i >= len(acts) {
				return false
			}
			got, err := acts[i]()
			if err != nil || got.Status >= 300 && got.Code() != "link-invalid" {
				t.Errorf("act %d = %d %q, %v", i, got.Status, got.Code(), err)
			}
			return err == nil && got.Status < 300
		})
		if won != 1 {
			t.Errorf("%d got the address, want one", won)
		}
		want(t, "somebody can sign in with it", login(s.Client(), wanted, ringwalltest.Password), 200, "")
	})
}

func TestFiftyClicksChangeOnce(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("fifty@example.org")
		approve, confirm := asks(t, s, c, "fifty@example.org", "fifty@example.net")
		for _, token := range []string{approve, confirm} {
			won := fifty(func(int) bool {
				got, err := c.Try("POST", "/auth/v1/email/change", object{"token": token})
				if err != nil || got.Status != 200 && got.Code() != "link-invalid" {
					t.Errorf("a click = %d %q, %v", got.Status, got.Code(), err)
				}
				return got.Status == 200
			})
			if won != 1 {
				t.Errorf("%d clicks succeeded, want 1", won)
			}
		}
		if got := myself(t, c).Email; got != "fifty@example.net" {
			t.Errorf("the address is %s", got)
		}
	})
}

// An attacker who knows the password asks for an address of theirs; whatever the owner does to recover ends that. The
// links end also with time, with an operator's lock, with a newer request and with a cancel.
func TestPendingChangeOfAddressEnds(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		for name, end := range map[string]func(owner *ringwalltest.Client, address string){
			"password": func(owner *ringwalltest.Client, _ string) {
				want(t, "change the password", owner.Post("/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": newPassword}), 200, "")
			},
			"reset": func(_ *ringwalltest.Client, address string) {
				before := len(s.Mails(address))
				want(t, "forgot", s.Client().Post("/auth/v1/password/forgot", object{"email": address}), 202, "")
				want(t, "reset", s.Client().Post("/auth/v1/password/reset", object{"token": s.Mail(address, before+1).Token(), "password": newPassword}), 204, "")
			},
			"lock": func(_ *ringwalltest.Client, address string) {
				operate(t, s, "user.lock", object{"user": address, "reason": "x"})
				operate(t, s, "user.unlock", object{"user": address})
			},
			"cancel": func(owner *ringwalltest.Client, _ string) {
				want(t, "cancel", owner.Delete("/auth/v1/me/email"), 204, "")
				want(t, "cancel again", owner.Delete("/auth/v1/me/email"), 204, "")
				if pending(t, owner) != nil {
					t.Error("a cancelled change is shown")
				}
			},
			"replaced": func(owner *ringwalltest.Client, address string) {
				asks(t, s, owner, address, "newer@example.net")
			},
			"time": func(*ringwalltest.Client, string) { s.Clock.Advance(24 * time.Hour) },
		} {
			address := name + "@example.org"
			owner := s.SignIn(address)
			approve, confirm := asks(t, s, owner, address, name+"@example.net")
			end(owner, address)
			for _, token := range []string{approve, confirm} {
				want(t, name, use(s.Client(), token), 422, "link-invalid")
			}
		}
	})
}

// A link proves a mailbox and no more. Somebody who is signed in to another account can use neither, and the link to the
// new address needs the session or the password of the account that asked: nobody gives a stranger's address to their own
// account and waits for the click.
func TestLinksOfAChangeBelongToWhoAsked(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		mallory, victim := s.SignIn("mallory@example.org"), s.SignIn("bob@example.org")
		approve, confirm := asks(t, s, mallory, "mallory@example.org", "victim@example.net")
		for _, token := range []string{approve, confirm} {
			want(t, "signed in to another account", use(victim, token), 403, "forbidden")
		}
		victim.Header.Set("Accept", "text/html")
		if page := victim.Get("/auth/change-email?token=" + approve); page.Status != 403 || strings.Contains(string(page.Body), "mallory") {
			t.Errorf("the page of another account's link = %d\n%s", page.Status, page.Body)
		}
		stranger := s.Client()
		want(t, "the stranger's click", use(stranger, confirm), 403, "password-required")
		stranger.Header.Set("Accept", "text/html")
		if page := stranger.Get("/auth/change-email?token=" + confirm); page.Status != 200 || strings.Contains(string(page.Body), "mallory") {
			t.Errorf("the page of the new address = %d\n%s", page.Status, page.Body)
		}
		stranger.Header.Del("Accept")
		for range 5 {
			want(t, "a guessed password", stranger.Post("/auth/v1/email/change", object{"token": confirm, "password": "not the password, surely"}), 401, "login-failed")
		}
		want(t, "guessing", stranger.Post("/auth/v1/email/change", object{"token": confirm, "password": ringwalltest.Password}), 429, "too-many-requests")
		want(t, "a cancel by somebody else", victim.Delete("/auth/v1/me/email"), 204, "")
		if pending(t, mallory) == nil {
			t.Error("somebody else cancelled the change")
		}
		s.Clock.Advance(10 * time.Minute)
		want(t, "from another browser, with the password", stranger.Post("/auth/v1/email/change", object{"token": confirm, "password": ringwalltest.Password}), 200, "")
		got := use(stranger, approve)
		want(t, "from another browser, approved", got, 200, "")
		if !isChanged(t, got) {
			t.Error("both links from another browser did not change the address")
		}
		want(t, "the session that asked", mallory.Get("/auth/v1/me"), 401, "unauthenticated") // the click was elsewhere: no session is spared
	})
}

// Advisory 9: the links lead to the configured host, whatever a request says.
func TestMailedLinksOfAChangeLeadHome(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("host@example.org")
		c.Header.Set("X-Forwarded-Host", "evil.test")
		c.Header.Set("Forwarded", "host=evil.test")
		asks(t, s, c, "host@example.org", "host@example.net")
		for _, address := range []string{"host@example.org", "host@example.net"} {
			if mail := s.Mails(address)[0]; !strings.HasPrefix(mail.Links[0], s.URL+"/auth/change-email?token=") || strings.Contains(mail.HTML, "evil.test") {
				t.Errorf("the mail to %s leads to %q", address, mail.Links)
			}
		}
	})
}

// Nobody can be bombed with mails: not one address from many accounts of a network, and not many addresses by one account.
func TestChangesOfAddressAreFew(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("many@example.org")
		ask := func(c *ringwalltest.Client, email string) ringwalltest.Answer {
			return c.Post("/auth/v1/me/email", object{"email": email, "password": ringwalltest.Password})
		}
		for _, box := range []string{"a", "b", "c", "d", "e"} {
			want(t, "one more", ask(c, box+"@example.net"), 202, "")
		}
		want(t, "the sixth address", ask(c, "f@example.net"), 429, "too-many-requests")
		for i := range 6 {
			got := ask(s.SignIn(string(rune('a'+i))+"@example.org"), "bombed@example.net")
			if i == 5 {
				want(t, "the sixth account", got, 429, "too-many-requests")
			}
		}
		s.Mail("bombed@example.net", 5)
		if n := len(s.Mails("bombed@example.net")); n != 5 {
			t.Errorf("%d mails to one address, want 5", n)
		}
	})
}

// The pages do it without script, and the buttons belong to the session that sees them.
func TestChangeOfAddressByForms(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("forms@example.org")
		c.Header.Set("Accept", "text/html")
		c.CSRF = ""
		send := func(path, shownOn string, values url.Values) ringwalltest.Answer {
			t.Helper()
			values.Set("csrf_token", formToken(t, c.Get(shownOn)))
			return c.Do("POST", path, values)
		}
		if got := send("/auth/account/email", "/auth/account/email", url.Values{"email": {"forms@example.net"}, "password": {ringwalltest.Password}}); got.Status != 303 {
			t.Fatalf("ask = %d\n%s", got.Status, got.Body)
		}
		if got := c.Do("POST", "/auth/account/email/cancel", url.Values{}); got.Status != 403 {
			t.Errorf("cancel without a token = %d", got.Status)
		}
		if page := c.Get("/auth/account"); !strings.Contains(string(page.Body), "forms@example.net") || !strings.Contains(string(page.Body), "/auth/account/email/cancel") {
			t.Errorf("the account does not show what waits:\n%s", page.Body)
		}
		for _, address := range []string{"forms@example.org", "forms@example.net"} {
			count := map[string]int{"forms@example.org": 2, "forms@example.net": 1}[address]
			token := s.Mail(address, count).Token()
			if got := c.Do("POST", "/auth/change-email", url.Values{"token": {token}}); got.Status != 403 {
				t.Errorf("a click without a token of the form = %d", got.Status)
			}
			if got := send("/auth/change-email", "/auth/change-email?token="+token, url.Values{"token": {token}}); got.Status != 303 {
				t.Fatalf("the click = %d\n%s", got.Status, got.Body)
			}
		}
		if page := c.Get("/auth/account?done=email-changed"); !strings.Contains(string(page.Body), "Your address is changed") || strings.Contains(string(page.Body), "forms@example.org") {
			t.Errorf("after both clicks:\n%s", page.Body)
		}
	})
}

// Somebody who has lost the old mailbox is helped by an operator, who says why; a waiting change of theirs ends.
func TestOperatorChangesAnAddress(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const old, wanted = "lost@example.org", "found@example.net"
		c := s.SignIn(old)
		s.SignUp("taken@example.org")
		approve, _ := asks(t, s, c, old, "elsewhere@example.net")
		want(t, "forgot", s.Client().Post("/auth/v1/password/forgot", object{"email": old}), 202, "")
		reset := s.Mail(old, 3).Token()
		for name, body := range map[string]string{
			"no reason":     `{"user":"lost@example.org","email":"found@example.net"}`,
			"no address":    `{"user":"lost@example.org","email":"found","reason":"x"}`,
			"the same":      `{"user":"lost@example.org","email":"Lost@example.org","reason":"x"}`,
			"a taken one":   `{"user":"lost@example.org","email":"taken@example.org","reason":"x"}`,
			"nobody's user": `{"user":"nobody@example.org","email":"found@example.net","reason":"x"}`,
		} {
			if _, err := s.Ringwall.Operate(t.Context(), "tester", "user.email", []byte(body)); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
		out := operate(t, s, "user.email", object{"user": old, "email": wanted, "reason": "passport seen"})
		if user := out["user"].(object); user["email"] != wanted {
			t.Errorf("user.email = %v", user)
		}
		want(t, "the session", c.Get("/auth/v1/me"), 401, "unauthenticated")
		want(t, "the waiting change", use(s.Client(), approve), 422, "link-invalid")
		want(t, "the reset at the old address", s.Client().Post("/auth/v1/password/reset", object{"token": reset, "password": newPassword}), 422, "link-invalid")
		want(t, "sign in", login(s.Client(), wanted, ringwalltest.Password), 200, "")
		s.Mail(wanted, 1)
		if notice := mailAbout(t, s, old, "was changed", 1); !strings.Contains(notice.Subject, "was changed") {
			t.Errorf("the old address is told %q", notice.Subject)
		}
		found := events(t, s, "user_updated")
		last := found[len(found)-1]
		if private, _ := last["private"].(object); last["reason"] != "address changed by operator" || last["actor"] != "operator:tester" || private["reason"] != "passport seen" || private["old_email"] != old {
			t.Errorf("the event is %v", last)
		}
	})
}
