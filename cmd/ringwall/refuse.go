package main

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/chain"
	mailer "github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/settings"
	"github.com/ringwall/ringwall/internal/webhook"
	"github.com/ringwall/ringwall/ratelimit"
)

// dangers lists everything for which serve does not start. It looks at files and changes nothing.
func dangers(v *settings.Values) settings.Faults {
	var all settings.Faults
	for _, check := range []func(*checker){
		(*checker).origins, (*checker).prefix, (*checker).environment, (*checker).listeners, (*checker).transport, (*checker).proxies, (*checker).certificate,
		(*checker).folder, (*checker).masterKey, (*checker).database, (*checker).mail, (*checker).alerts, (*checker).rules, (*checker).floods, (*checker).logLevel,
	} {
		c := &checker{Values: v}
		check(c)
		all = append(all, c.faults...)
	}
	return all
}

type checker struct {
	*settings.Values
	faults settings.Faults
}

// fault records what is wrong with a setting, under the name by which the operator gave it.
func (c *checker) fault(name, detail string) {
	shown := "RINGWALL_" + name
	if source := c.Source(name); source.Given() {
		shown = source.From
	}
	c.faults = append(c.faults, settings.Fault{Setting: shown, Detail: detail})
}

func (c *checker) prefix() {
	if !strings.HasPrefix(c.Prefix, "/") || strings.HasSuffix(c.Prefix, "/") || strings.ContainsAny(c.Prefix, "{} ?#%\\") || strings.Contains(c.Prefix, "//") {
		c.fault("PREFIX", strconv.Quote(c.Prefix)+" is no path. Write it as /auth, without a slash at the end.")
	}
}

func (c *checker) origins() {
	if len(c.Origins) == 0 {
		c.fault("ORIGINS", "is not set, so nobody knows which hosts are ours. Set it to where people reach the service, as https://id.example.org.")
		return
	}
	before := len(c.faults)
	for _, origin := range c.Origins {
		parsed, err := input.ParseOrigins(origin)
		switch {
		case err != nil:
			c.fault("ORIGINS", strconv.Quote(origin)+" is no origin: "+reasonOf(err)+".")
		case strings.HasPrefix(origin, "http://"):
			c.fault("ORIGINS", strconv.Quote(origin)+" is not https: passwords and cookies would be readable on the way. Write https://"+origin[len("http://"):]+", with TLS here or in a proxy in front.")
		case parsed.First() != origin:
			c.fault("ORIGINS", strconv.Quote(origin)+" is not written as browsers do. Write "+parsed.First()+".")
		}
	}
	if _, err := input.ParseOrigins(c.Origins...); err != nil && len(c.faults) == before {
		c.fault("ORIGINS", "cannot be used: "+err.Error()+".")
	}
}

// reasonOf is the innermost error, which tells what to write instead.
func reasonOf(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

func (c *checker) environment() {
	if c.Environment == developmentName {
		c.fault("ENVIRONMENT", "is "+developmentName+", the name under which ringwall dev keeps its data. Name this installation otherwise, such as production or staging.")
	}
}

func (c *checker) listeners() {
	if _, err := netip.ParseAddrPort(c.OpsAddr); err != nil {
		if host, port, err := net.SplitHostPort(c.OpsAddr); err != nil || host != "localhost" || port == "" {
			c.fault("OPS_ADDR", strconv.Quote(c.OpsAddr)+" does not name one address and port. Health and readiness are not for the public: write 127.0.0.1:8081, or the address of the network from which you watch.")
		}
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		c.fault("ADDR", strconv.Quote(c.Addr)+" is no address with a port. Write it as 127.0.0.1:8080 or 0.0.0.0:443.")
	} else if c.Addr == c.OpsAddr && !strings.HasSuffix(c.Addr, ":0") {
		c.fault("OPS_ADDR", "is the same as RINGWALL_ADDR. Give the two listeners different ports.")
	}
}

func (c *checker) transport() {
	cert, key := c.TLSCert != "", c.TLSKey != ""
	proxies, header := len(c.TrustedProxies) > 0, c.TrustedProxyHeader != ""
	switch {
	case cert && !key:
		c.fault("TLS_KEY", "is not set, but RINGWALL_TLS_CERT is. Set it to the file of the certificate's key.")
	case key && !cert:
		c.fault("TLS_CERT", "is not set, but RINGWALL_TLS_KEY is. Set it to the file of the certificate and its chain.")
	case !cert && !key && !proxies && !header:
		c.fault("TLS_CERT", "is not set, and no proxy in front is named: passwords would be readable on the way. Set RINGWALL_TLS_CERT and RINGWALL_TLS_KEY; or, behind a proxy that ends TLS, RINGWALL_TRUSTED_PROXIES (its address) and RINGWALL_TRUSTED_PROXY_HEADER (such as X-Forwarded-For).")
	case !cert && !key && proxies && allLoopback(c.TrustedProxies) && !isLoopback(c.Addr):
		c.fault("ADDR", strconv.Quote(c.Addr)+" listens to the network without TLS, though the proxy is on this machine. Write 127.0.0.1 and a port, or name the proxy's address in RINGWALL_TRUSTED_PROXIES.")
	}
	if proxies && !header {
		c.fault("TRUSTED_PROXY_HEADER", "is not set, but RINGWALL_TRUSTED_PROXIES is. Name the one header in which the proxy tells the client's address, such as X-Forwarded-For.")
	}
	if header && !proxies {
		c.fault("TRUSTED_PROXIES", "is not set, but RINGWALL_TRUSTED_PROXY_HEADER is: anybody could write that header. Name the proxy's address, such as 127.0.0.1.")
	}
}

func (c *checker) proxies() {
	for _, network := range c.TrustedProxies {
		if network.Bits() == 0 {
			c.fault("TRUSTED_PROXIES", network.String()+" is everybody: anybody could claim any address. Name the proxy's address.")
		}
	}
	if err := chain.CheckProxyHeader(c.TrustedProxyHeader); err != nil && c.TrustedProxyHeader != "" {
		c.fault("TRUSTED_PROXY_HEADER", strconv.Quote(c.TrustedProxyHeader)+" "+err.Error()+".")
	}
}

func (c *checker) certificate() {
	if c.TLSCert == "" || c.TLSKey == "" {
		return
	}
	info, err := os.Stat(c.TLSKey)
	if err != nil {
		c.fault("TLS_KEY", c.TLSKey+" cannot be read: "+reasonOf(err)+".")
		return
	}
	if settings.Exposed(info) {
		c.fault("TLS_KEY", c.TLSKey+" can be read by others than its owner (mode 0"+strconv.FormatUint(uint64(info.Mode().Perm()), 8)+"). Run: chmod 600 "+c.TLSKey)
	}
	if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
		c.fault("TLS_CERT", c.TLSCert+" and "+c.TLSKey+" cannot be used: "+reasonOf(err)+".")
	}
}

func (c *checker) folder() {
	if fault := folderFault(c.Data); fault != "" {
		c.fault("DATA", fault)
	}
}

func (c *checker) masterKey() {
	if !c.MasterKey.IsZero() {
		if _, err := secret.ParseMasterKey(c.MasterKey); err != nil {
			c.fault("MASTER_KEY", err.Error()+".")
		}
		return
	}
	path := filepath.Join(c.Data, masterKeyName)
	_, err := secret.ReadMasterKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		c.fault("MASTER_KEY", "is not set, and there is no "+path+". Make one, and keep a copy apart from the backups of the database: (umask 077; mkdir -p "+c.Data+"; openssl rand -hex 32 >"+path+")")
	} else if err != nil {
		c.fault("MASTER_KEY", err.Error()+".")
	}
}

func (c *checker) database() {
	text := databaseOf(c.Values)
	path, isFile := strings.CutPrefix(text.Reveal(), "sqlite:")
	switch {
	case isFile && path == "":
		c.fault("DATABASE", "names no file. Write it as sqlite:/var/lib/ringwall/ringwall.db.")
	case isFile:
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			c.fault("DATABASE", path+" can be read by others than its owner. Run: chmod 600 "+path)
		}
	case !isPostgres(text):
		c.fault("DATABASE", "is neither sqlite:PATH nor postgres://…. Write it as sqlite:/var/lib/ringwall/ringwall.db or postgres://user@host/database.")
	}
}

func (c *checker) mail() {
	if c.SMTP.IsZero() {
		c.fault("SMTP", "is not set, so nobody could confirm an address or reset a password. Write it as smtp://user:password@host:587 or smtps://user:password@host:465.")
	} else if _, err := mailer.ParseSMTP(c.SMTP); err != nil {
		c.fault("SMTP", err.Error()+".")
	}
	if c.MailFrom == "" {
		c.fault("MAIL_FROM", "is not set. Write the sender of mails as Example <login@example.org>.")
	} else if _, err := mail.ParseAddress(c.MailFrom); err != nil {
		c.fault("MAIL_FROM", "is not one mail address. Write it as Example <login@example.org>.")
	}
}

func (c *checker) alerts() {
	if c.AlertMail != "" {
		if _, err := input.ParseEmail(c.AlertMail); err != nil {
			c.fault("ALERT_MAIL", "is not one mail address. Write it as ops@example.org.")
		}
	}
	if c.AlertLanguage != "en" && c.AlertLanguage != "de" {
		c.fault("ALERT_LANGUAGE", "is neither en nor de. Write one of them.")
	}
	c.webhook("ALERT_WEBHOOK", "alerts", c.AlertWebhook, c.AlertWebhookSecret)
	c.webhook("EVENTS_WEBHOOK", "events", c.EventsWebhook, c.EventsWebhookSecret)
}

// webhook judges the address of a receiver and the secret that belongs to it.
func (c *checker) webhook(name, what string, target, signing secret.Text) {
	address, key := !target.IsZero(), !signing.IsZero()
	switch {
	case address && !key:
		c.fault(name+"_SECRET", "is not set, but RINGWALL_"+name+" is: the receiver could not know who sent it. Make one with: echo whsec_$(openssl rand -base64 32)")
	case key && !address:
		c.fault(name, "is not set, but RINGWALL_"+name+"_SECRET is. Set it to the https address of the receiver.")
	}
	if u, err := url.Parse(target.Reveal()); address && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil) {
		c.fault(name, "is no https address without user and password: "+what+" would be readable on the way. Write it as https://"+what+".example.org/ringwall.")
	}
	if _, err := webhook.ParseSecret(signing); key && err != nil {
		c.fault(name+"_SECRET", "cannot be used: "+err.Error()+".")
	}
}

// rules also hold for dev.
func (c *checker) rules() {
	c.windows("LIMIT_ADDRESS", c.LimitAddress, "20/1m,100/1h")
	c.windows("LIMIT_API", c.LimitAPI, "600/1m")
	if l := c.LimitAccount; l.Count > accountTriesMost || l.Count != 0 && (l.Per < time.Second || l.Per > accountWindowMost) {
		c.fault("LIMIT_ACCOUNT", "is no limit of 1 to 100 attempts in a second to 24h: with more, passwords could be guessed. Write 5/5m, or unset it.")
	}
	if c.LimitGlobal.Count != 0 && c.LimitGlobal.Per != time.Minute {
		c.fault("LIMIT_GLOBAL", "counts another time than minutes. Write it as 600/1m, or unset it.")
	}
	if c.LimitMails.Count != 0 && (c.LimitMails.Per != time.Minute || c.LimitMails.Count > limitCountMost) {
		c.fault("LIMIT_MAILS", "is no number of mails a minute, up to 1000000. Write it as 120/1m, or unset it.")
	}
	switch {
	case !slices.Contains([]string{"open", "invite", "domains", "closed"}, c.Signup):
		c.fault("SIGNUP", strconv.Quote(c.Signup)+" is none of open, invite, domains and closed.")
	case c.Signup == "domains" && len(c.SignupDomains) == 0:
		c.fault("SIGNUP_DOMAINS", "is not set, but RINGWALL_SIGNUP is domains. List the domains whose addresses may sign up, such as example.org.")
	case c.Signup != "domains" && len(c.SignupDomains) > 0:
		c.fault("SIGNUP_DOMAINS", "is set, but RINGWALL_SIGNUP is not domains, so it would do nothing. Set that, or unset this.")
	}
	if c.SessionIdle > c.SessionAbsolute {
		c.fault("SESSION_IDLE", c.SessionIdle.String()+" is longer than RINGWALL_SESSION_ABSOLUTE ("+c.SessionAbsolute.String()+"), so it would never end a session. Make it shorter, such as 30m.")
	}
	if c.SessionAbsolute > c.SessionRemembered {
		c.fault("SESSION_REMEMBERED", c.SessionRemembered.String()+" is shorter than RINGWALL_SESSION_ABSOLUTE ("+c.SessionAbsolute.String()+"), so to be remembered would end sessions sooner. Make it longer, such as 720h.")
	}
	if c.SessionIdle < time.Second || c.SessionAbsolute > absoluteMost || c.SessionRemembered > rememberedMost {
		c.fault("SESSION_IDLE", "and the other lifetimes must be between a second and 720h (SESSION_ABSOLUTE) or 9600h (SESSION_REMEMBERED): browsers keep no cookie longer.")
	}
	if c.SessionMax > sessionsMost {
		c.fault("SESSION_MAX", strconv.Itoa(c.SessionMax)+" is too many. Write 1 to 100.")
	}
	if c.PasswordMinLength < passwordLengthFloor || c.PasswordMinLength > passwordLengthMost {
		c.fault("PASSWORD_MIN_LENGTH", strconv.Itoa(c.PasswordMinLength)+" is out of bounds. Write 15 to 128: shorter passwords are weak without a second factor.")
	}
}

func (c *checker) windows(name string, limits settings.Limits, example string) {
	for _, limit := range limits {
		if limit.Per%time.Second != 0 || limit.Per > limitMost || limit.Count > limitCountMost || len(limits) > ratelimit.MaxWindows {
			c.fault(name, "is no list of one to three limits, each up to 1000000 in whole seconds up to 744h. Write "+example+", or unset it.")
			return
		}
	}
}

// floods holds what only dev may switch off.
func (c *checker) floods() {
	if len(c.LimitAddress) == 0 {
		c.fault("LIMIT_ADDRESS", "is off: one address could try passwords without end. Write 20/1m,100/1h, or unset it.")
	}
	if c.LimitAccount.Count == 0 {
		c.fault("LIMIT_ACCOUNT", "is off: passwords could be guessed without end. Write 5/5m, or unset it.")
	}
	if len(c.LimitAPI) == 0 {
		c.fault("LIMIT_API", "is off: one person could keep the database busy without end. Write 600/1m, or unset it.")
	}
	if perMinute(c.Values, "LIMIT_MAILS", c.LimitMails) < 0 {
		c.fault("LIMIT_MAILS", "is off: strangers could make your mail server send without end. Write it as 120/1m, or unset it.")
	}
	if perMinute(c.Values, "LIMIT_GLOBAL", c.LimitGlobal) < 0 {
		c.fault("LIMIT_GLOBAL", "is off: a flood from many addresses could guess and hash without end. Write it as 600/1m, or unset it.")
	}
}

func (c *checker) logLevel() {
	if c.LogLevel < slog.LevelInfo && c.Environment == productionName {
		c.fault("LOG_LEVEL", "is debug, which tells more about people and the inside than a log in production may. Write info, or name another RINGWALL_ENVIRONMENT.")
	}
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

func allLoopback(networks []netip.Prefix) bool {
	for _, network := range networks {
		if !network.Addr().IsLoopback() {
			return false
		}
	}
	return true
}
