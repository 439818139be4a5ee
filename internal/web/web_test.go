package web_test

import (
	"context"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/web"
)

var (
	_ web.Accounts = (*account.Service)(nil)
	_ web.Cookies  = (*chain.Cookies)(nil)
)

func TestConfigurationIsChecked(t *testing.T) {
	mails := func(context.Context) ([]mail.Message, error) { return nil, nil }
	for name, config := range map[string]web.Config{
		"no accounts":                  {Cookies: jar{}, Seal: plainly, Open: openly},
		"no cookies":                   {Accounts: &people{}, Seal: plainly, Open: openly},
		"nothing to seal with":         {Accounts: &people{}, Cookies: jar{}},
		"development without mails":    {Accounts: &people{}, Cookies: jar{}, Seal: plainly, Open: openly, Development: true},
		"a prefix that ends in slash":  {Accounts: &people{}, Cookies: jar{}, Seal: plainly, Open: openly, Prefix: "/auth/"},
		"a prefix that is not a path":  {Accounts: &people{}, Cookies: jar{}, Seal: plainly, Open: openly, Prefix: "auth"},
		"a prefix that is only slash ": {Accounts: &people{}, Cookies: jar{}, Seal: plainly, Open: openly, Prefix: "/", Mails: mails},
	} {
		if _, err := web.New(config); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
