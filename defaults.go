package ringwall

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/webhook"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/ratelimit"
)

// Lifetimes of sessions (D13) where nothing else is set.
const (
	defaultIdle       = 30 * time.Minute
	defaultAbsolute   = 12 * time.Hour
	defaultRemembered = 30 * 24 * time.Hour
	rememberedIdle    = 14 * 24 * time.Hour
	freshFor          = 5 * time.Minute
	defaultMax        = 20
	defaultCacheBytes = 256 << 20
	defaultDeletion   = 14 * 24 * time.Hour
)

// OptionsError says which options are not fit to start with, a line each, with the mend.
type OptionsError struct{ faults error }

// Error lists the faults.
func (e *OptionsError) Error() string { return e.faults.Error() }

// Unwrap is the faults, joined.
func (e *OptionsError) Unwrap() error { return e.faults }

// Check reports what [New] would refuse without opening anything: nil, or an [*OptionsError].
func (o Options) Check() error {
	_, err := o.settle()
	return err
}

// settle fills in the defaults and reports every fault at once.
func (o Options) settle() (Options, error) {
	o.Origins = slices.Clone(o.Origins)
	o.CORS = slices.Clone(o.CORS)
	o.TrustedProxies = slices.Clone(o.TrustedProxies)
	o.InsecureWebhookNetworks = slices.Clone(o.InsecureWebhookNetworks)
	o.SignupDomains = slices.Clone(o.SignupDomains)
	o.AdminNetworks = slices.Clone(o.AdminNetworks)
	o.Roles = maps.Clone(o.Roles)
	for role, permissions := range o.Roles {
		o.Roles[role] = slices.Clone(permissions)
	}
	if len(o.AdminNetworks) == 0 {
		o.AdminNetworks = privateNetworks()
	}
	setDefault(&o.Prefix, "/auth")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Environment == "" {
		o.Environment = "production"
		if o.Development {
			o.Environment = "development"
		}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Argon2id == (password.Params{}) {
		o.Argon2id = password.DefaultParams()
	}
	setDefault(&o.SessionIdle, defaultIdle)
	setDefault(&o.SessionAbsolute, defaultAbsolute)
	setDefault(&o.SessionRemembered, defaultRemembered)
	setDefault(&o.SessionMax, defaultMax)
	setDefault(&o.SessionCacheBytes, defaultCacheBytes)
	setDefault(&o.DeletionDelay, defaultDeletion)
	o.LimitAddress = slices.Clone(o.LimitAddress)
	if len(o.LimitAddress) == 0 && !o.NoLimitAddress {
		o.LimitAddress = limits.Default()
	}
	if o.LimitAccount == (ratelimit.Window{}) && !o.NoLimitAccount {
		o.LimitAccount = ratelimit.Window{Quota: 5, Per: 5 * time.Minute}
	}
	o.LimitAPI = slices.Clone(o.LimitAPI)
	if len(o.LimitAPI) == 0 && !o.NoLimitAPI {
		o.LimitAPI = []ratelimit.Window{{Quota: 600, Per: time.Minute}}
	}

	faults := []error{o.checkOrigins(), o.checkCORS(), o.checkPrefix(), o.checkName(), o.checkSessions(), o.checkMail(), o.checkProxies(), o.checkLimits(), o.checkSignup(), o.checkDatabase(), o.checkAlerts(), o.Argon2id.Check(), o.checkBreachCheck(), o.checkRoles(), o.checkMetadata()}
	if o.PasswordMinLength != 0 && (o.PasswordMinLength < 15 || o.PasswordMinLength > 128) {
		faults = append(faults, errors.New("PasswordMinLength must be 15 to 128: shorter passwords are weak without a second factor"))
	}
	if o.HashSlots < 0 {
		faults = append(faults, errors.New("HashSlots must not be negative: 0 chooses by cores and memory"))
	}
	if o.DeletionDelay < time.Hour || o.DeletionDelay > 90*24*time.Hour {
		faults = append(faults, errors.New("DeletionDelay must be an hour to 90 days: shorter leaves no time to undo a deletion, longer keeps what somebody wants gone"))
	}
	if o.LimitGlobal < 0 && !o.Development {
		faults = append(faults, errors.New("LimitGlobal is off: a flood from many addresses could guess and hash without end; leave it 0 for the default"))
	}
	if o.LimitMails == 0 {
		o.LimitMails = 120
	}
	if o.LimitMails < 0 && !o.Development {
		faults = append(faults, errors.New("LimitMails is off: strangers could make your mail server send without end; leave it 0 for the default"))
	}
	if o.ServiceName == "" && len(o.Origins) > 0 {
		o.ServiceName = "Ringwall"
		if u, err := url.Parse(o.Origins[0]); err == nil && !loopback(u.Hostname()) {
			o.ServiceName = u.Hostname()
		}
	}
	if err := errors.Join(faults...); err != nil {
		return o, &OptionsError{err}
	}
	return o, nil
}

// privateNetworks are loopback and what RFC 1918 and RFC 4193 keep off the internet.
func privateNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("fc00::/7"),
	}
}

// checkBreachCheck judges the form; a file is opened by [New].
func (o Options) checkBreachCheck() error {
	if !strings.Contains(o.BreachCheck, "://") {
		return nil
	}
	u, err := url.Parse(o.BreachCheck)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "https" && !(u.Scheme == "http" && o.Development && loopback(u.Hostname())) {
		return errors.New(`BreachCheck is neither "off" nor an https address such as "https://api.pwnedpasswords.com" nor the path of a file`)
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o Options) checkOrigins() error {
	if len(o.Origins) == 0 {
		return errors.New(`Origins is missing: list the origins under which people reach the application, such as "https://app.example.org"`)
	}
	var faults []error
	for _, origin := range o.Origins {
		u, err := url.Parse(origin)
		switch {
		case err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.ToLower(origin) != origin:
			faults = append(faults, fmt.Errorf("origin %q is not an origin: write scheme and host in lower case, and a port if it is not the usual one", origin))
		case u.Scheme == "http" && !(o.Development && loopback(u.Hostname())):
			faults = append(faults, fmt.Errorf("origin %q is not https: cookies and passwords would travel in the clear; use https (http is for loopback in development)", origin))
		case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
			faults = append(faults, fmt.Errorf("origin %q names the usual port, which browsers leave out: leave it out too", origin))
		case u.Scheme != "https" && u.Scheme != "http":
			faults = append(faults, fmt.Errorf("origin %q must begin with https://", origin))
		}
	}
	return errors.Join(faults...)
}

func (o Options) checkCORS() error {
	if len(o.CORS) == 0 {
		return nil
	}
	_, err := headers.NewCORS(headers.CORSOptions{Origins: o.CORS})
	return err
}

// prefixForm leaves out whatever two parsers of paths could read differently.
var prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

func (o Options) checkPrefix() error {
	if !prefixForm.MatchString(o.Prefix) {
		return errors.New(`Prefix must be a path such as "/auth": a slash and letters, digits, hyphens or underscores, without a slash at its end`)
	}
	return nil
}

// checkName keeps the name fit for the subject of a mail.
func (o Options) checkName() error {
	if len(o.ServiceName) > 100 || !utf8.ValidString(o.ServiceName) || strings.ContainsFunc(o.ServiceName, unicode.IsControl) {
		return errors.New("ServiceName must be one line of at most 100 bytes: it stands in the subjects of mails")
	}
	return nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

func (o Options) checkSessions() error {
	switch {
	case o.SessionIdle < time.Second || o.SessionAbsolute < time.Second || o.SessionRemembered < time.Second:
		return errors.New("SessionIdle, SessionAbsolute and SessionRemembered must be a second or more")
	case o.SessionIdle > o.SessionAbsolute:
		return errors.New("SessionIdle is longer than SessionAbsolute: a session would never idle out; shorten it")
	case o.SessionAbsolute > 30*24*time.Hour || o.SessionRemembered > 400*24*time.Hour:
		return errors.New("SessionAbsolute may be 30 days at most, SessionRemembered 400 (browsers keep no cookie longer)")
	case o.SessionMax < 1 || o.SessionMax > 99:
		return errors.New("SessionMax must be 1 to 99")
	case o.SessionCacheBytes < 0:
		return errors.New("SessionCacheBytes must not be negative")
	}
	return nil
}

func (o Options) checkMail() error {
	if o.Development {
		return nil
	}
	if o.SMTP.IsZero() || o.MailFrom == "" {
		return errors.New(`SMTP and MailFrom are missing: nobody could confirm an address; set "smtp://user:password@host:587" and a sender`)
	}
	return nil
}

func (o Options) checkProxies() error {
	if o.TrustedProxyHeader != "" {
		if err := chain.CheckProxyHeader(o.TrustedProxyHeader); err != nil {
			return fmt.Errorf("TrustedProxyHeader %w", err)
		}
	}
	if (len(o.TrustedProxies) == 0) != (o.TrustedProxyHeader == "") {
		return errors.New("TrustedProxies and TrustedProxyHeader belong together: name the proxy's network and the one header it sets")
	}
	everybody := func(network netip.Prefix) bool { return network.Bits() == 0 }
	switch {
	case o.Development:
		return nil
	case slices.ContainsFunc(o.TrustedProxies, everybody):
		return errors.New("TrustedProxies holds everybody: anybody could claim any address; name the proxy's own")
	case slices.ContainsFunc(o.AdminNetworks, everybody):
		return errors.New("AdminNetworks holds everybody: a stolen password of an administrator would be enough; name the networks that administrators come from, such as 203.0.113.0/24")
	}
	return nil
}

// mostGranted bounds the roles, and the permissions of each.
const mostGranted = 100

func (o Options) checkRoles() error {
	if len(o.Roles) > mostGranted {
		return fmt.Errorf("Roles has %d roles, at most %d", len(o.Roles), mostGranted)
	}
	for _, role := range slices.Sorted(maps.Keys(o.Roles)) {
		if err := account.CheckRole(role); err != nil {
			return fmt.Errorf("Roles has the role %q: %s", role, problem.From(err).Detail)
		}
		if len(o.Roles[role]) > mostGranted {
			return fmt.Errorf("Roles gives the role %q %d permissions, at most %d", role, len(o.Roles[role]), mostGranted)
		}
		for _, permission := range o.Roles[role] {
			if err := account.CheckPermission(permission); err != nil {
				return fmt.Errorf("Roles gives the role %q the permission %q: %s", role, permission, problem.From(err).Detail)
			}
		}
	}
	return nil
}

// checkSignup brings the domains into their canonical form.
func (o Options) checkSignup() error {
	switch o.Signup {
	case "", "open", "invite", "domains", "closed":
	default:
		return errors.New(`Signup must be "open", "invite", "domains" or "closed"`)
	}
	if (o.Signup == "domains") != (len(o.SignupDomains) > 0) {
		return errors.New(`Signup "domains" and SignupDomains belong together: list the domains whose addresses may sign up`)
	}
	for i, domain := range o.SignupDomains {
		address, err := input.ParseEmail("x@" + domain)
		if err != nil {
			return fmt.Errorf("SignupDomains holds %q, which is no domain: write example.org", domain)
		}
		_, o.SignupDomains[i], _ = strings.Cut(address.Key(), "@") // a copy of our own
	}
	return nil
}

func (o Options) signupPolicy() account.SignupPolicy {
	policy := account.SignupPolicy{Mode: account.SignupMode(o.Signup), Domains: o.SignupDomains}
	if o.Signup == "open" {
		policy.Mode = account.SignupOpen
	}
	return policy
}

// checkAlerts keeps alerts from going nowhere, or where others read them.
func (o Options) checkAlerts() error {
	var faults []error
	if o.AlertMail != "" {
		if _, err := input.ParseEmail(o.AlertMail); err != nil {
			faults = append(faults, errors.New("AlertMail is not one mail address: write it as ops@example.org"))
		}
	}
	if o.AlertLanguage != "" && o.AlertLanguage != "en" && o.AlertLanguage != "de" {
		faults = append(faults, errors.New(`AlertLanguage must be "en" or "de"`))
	}
	return errors.Join(append(faults, o.checkWebhook("AlertWebhook", "alerts", o.AlertWebhook, o.AlertWebhookSecret),
		o.checkWebhook("EventsWebhook", "events", o.EventsWebhook, o.EventsWebhookSecret))...)
}

// checkWebhook judges the address of a receiver and the secret that belongs to it.
func (o Options) checkWebhook(name, what string, target, signing Secret) error {
	var faults []error
	if target.IsZero() != signing.IsZero() {
		faults = append(faults, fmt.Errorf("%s and %sSecret belong together: the receiver knows by the signature who sent it; make a secret with echo whsec_$(openssl rand -base64 32)", name, name))
	}
	if !target.IsZero() {
		u, err := url.Parse(target.Reveal())
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && o.Development) {
			faults = append(faults, fmt.Errorf("%s must be an https address without user and password, such as https://%s.example.org/ringwall: %s would travel in the clear", name, what, what))
		}
	}
	if !signing.IsZero() {
		if _, err := webhook.ParseSecret(signing); err != nil {
			faults = append(faults, fmt.Errorf("%sSecret cannot be used: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// checkDatabase keeps passwords and personal data off a network in the clear.
func (o Options) checkDatabase() error {
	switch {
	case o.Database == "":
		return errors.New(`Database is missing: set "sqlite:PATH" or "postgres://…"`)
	case o.Development || strings.HasPrefix(o.Database, "sqlite:"):
		return nil
	}
	return checkTransport("Database", o.Database)
}

// checkTransport returns an error that tells the mend, if a connection to the database could cross a network in the clear.
func checkTransport(name, database string) error {
	if _, err := url.Parse(database); err != nil {
		return errors.New(name + " is no address: write postgres://user@host/name?sslmode=verify-full")
	}
	err := sqlstore.CheckTransport(database)
	if errors.Is(err, sqlstore.ErrInTheClear) {
		return errors.New(name + " is on another machine without a verified connection: add sslmode=verify-full to its address (and sslrootcert for a certificate authority of your own)")
	}
	return err
}

func (o Options) sessionOptions() sessions.Options {
	return sessions.Options{
		Idle: o.SessionIdle, Absolute: o.SessionAbsolute,
		RememberedIdle: min(rememberedIdle, o.SessionRemembered), Remembered: o.SessionRemembered,
		Fresh: freshFor, Max: o.SessionMax, CacheBytes: o.SessionCacheBytes, Now: o.Now, Log: o.Log,
	}
}
