package e2e_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/ratelimit"
)

// production is what a server needs at least, on a database.
func production(db testdb.DB) ringwall.Options {
	return ringwall.Options{
		Database: db.DSN, Origins: []string{"https://id.example.org"}, MasterKey: ringwall.NewSecret(masterKey),
		SMTP: ringwall.NewSecret("smtp://user:hunter-word@mail.example.org:587"), MailFrom: "login@example.org",
	}
}

// open starts an instance that the test closes itself.
func open(t *testing.T, o ringwall.Options) *ringwall.Ringwall {
	t.Helper()
	rw, err := ringwall.New(t.Context(), o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return rw
}

func closed(t *testing.T, rw *ringwall.Ringwall) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := rw.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// Each bad option is refused, and the error tells the mend.
func TestNewRefusesBadOptions(t *testing.T) {
	readable := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(readable, []byte(masterKey), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(readable, 0o644); err != nil {
		t.Fatal(err)
	}
	everybody := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::/0")}
	for name, tt := range map[string]struct {
		change func(*ringwall.Options)
		mend   string
	}{
		"no database":                     {func(o *ringwall.Options) { o.Database = "" }, `"sqlite:PATH"`},
		"a database in memory":            {func(o *ringwall.Options) { o.Database = "sqlite::memory:" }, `"sqlite:PATH"`},
		"another database":                {func(o *ringwall.Options) { o.Database = "mysql://root@localhost/x" }, `"postgres://`},
		"no origin":                       {func(o *ringwall.Options) { o.Origins = nil }, "https://app.example.org"},
		"an origin without TLS":           {func(o *ringwall.Options) { o.Origins = []string{"http://id.example.org"} }, "use https"},
		"loopback without TLS":            {func(o *ringwall.Options) { o.Origins = []string{"http://127.0.0.1"} }, "use https"},
		"another scheme":                  {func(o *ringwall.Options) { o.Origins = []string{"ftp://id.example.org"} }, "https://"},
		"an origin with a path":           {func(o *ringwall.Options) { o.Origins = []string{"https://id.example.org/"} }, "scheme and host"},
		"an origin with a user":           {func(o *ringwall.Options) { o.Origins = []string{"https://a@id.example.org"} }, "scheme and host"},
		"an origin in capitals":           {func(o *ringwall.Options) { o.Origins = []string{"https://ID.example.org"} }, "lower case"},
		"the usual port":                  {func(o *ringwall.Options) { o.Origins = []string{"https://id.example.org:443"} }, "port"},
		"a wildcard":                      {func(o *ringwall.Options) { o.Origins = []string{"https://*.example.org"} }, "origin"},
		"a null origin":                   {func(o *ringwall.Options) { o.Origins = []string{"null"} }, "scheme and host"},
		"a bad one of two origins":        {func(o *ringwall.Options) { o.Origins = append(o.Origins, "https://") }, "scheme and host"},
		"any frontend":                    {func(o *ringwall.Options) { o.CORS = []string{"*"} }, "CORS"},
		"a frontend without TLS":          {func(o *ringwall.Options) { o.CORS = []string{"http://app.example.org"} }, "use https"},
		"a prefix without a slash":        {func(o *ringwall.Options) { o.Prefix = "auth" }, `"/auth"`},
		"a prefix with a slash behind":    {func(o *ringwall.Options) { o.Prefix = "/auth/" }, `"/auth"`},
		"a prefix that is a pattern":      {func(o *ringwall.Options) { o.Prefix = "/{x}" }, `"/auth"`},
		"a prefix that is the root":       {func(o *ringwall.Options) { o.Prefix = "/" }, `"/auth"`},
		"a prefix that goes up":           {func(o *ringwall.Options) { o.Prefix = "/a/../b" }, `"/auth"`},
		"a prefix with a line break":      {func(o *ringwall.Options) { o.Prefix = "/a\r\nb" }, `"/auth"`},
		"a prefix beyond ASCII":           {func(o *ringwall.Options) { o.Prefix = "/ä" }, `"/auth"`},
		"an environment in capitals":      {func(o *ringwall.Options) { o.Environment = "Production" }, "a-z"},
		"a short master key":              {func(o *ringwall.Options) { o.MasterKey = ringwall.NewSecret(masterKey[2:]) }, "openssl rand"},
		"a master key of zeros":           {func(o *ringwall.Options) { o.MasterKey = ringwall.NewSecret(strings.Repeat("00", 32)) }, "openssl rand"},
		"a master key others may read":    {func(o *ringwall.Options) { o.MasterKey, o.MasterKeyFile = ringwall.Secret{}, readable }, "chmod 600"},
		"a master key that is not there":  {func(o *ringwall.Options) { o.MasterKey, o.MasterKeyFile = ringwall.Secret{}, "/nowhere/master.key" }, "/nowhere/master.key"},
		"no mail server":                  {func(o *ringwall.Options) { o.SMTP = ringwall.Secret{} }, "smtp://user:password@host:587"},
		"no sender":                       {func(o *ringwall.Options) { o.MailFrom = "" }, "MailFrom"},
		"a mail server without a scheme":  {func(o *ringwall.Options) { o.SMTP = ringwall.NewSecret("mail.example.org:587") }, "smtp://"},
		"mails in the clear":              {func(o *ringwall.Options) { o.SMTP = ringwall.NewSecret("smtp://mail.example.org?tls=off") }, "remove ?tls=off"},
		"a sender that is none":           {func(o *ringwall.Options) { o.MailFrom = "Example <login>" }, "no-reply@example.org"},
		"a sender with a header":          {func(o *ringwall.Options) { o.MailFrom = "login@example.org\r\nBcc: all@example.org" }, "no-reply@example.org"},
		"a service name of two lines":     {func(o *ringwall.Options) { o.ServiceName = "Example\r\nBcc: all@example.org" }, "ServiceName"},
		"a weak hash":                     {func(o *ringwall.Options) { o.Argon2id = password.Params{MemoryKiB: 8192, Time: 2, Parallelism: 1} }, "19456"},
		"short passwords":                 {func(o *ringwall.Options) { o.PasswordMinLength = 8 }, "15 to 128"},
		"fewer than no slots":             {func(o *ringwall.Options) { o.HashSlots = -1 }, "0 chooses"},
		"too many slots":                  {func(o *ringwall.Options) { o.HashSlots = 5000 }, "1 to 1024"},
		"sessions that never idle out":    {func(o *ringwall.Options) { o.SessionIdle = -1 }, "a second or more"},
		"sessions longer idle than alive": {func(o *ringwall.Options) { o.SessionIdle = 13 * time.Hour }, "shorten it"},
		"sessions of a year":              {func(o *ringwall.Options) { o.SessionAbsolute = 366 * 24 * time.Hour }, "30 days"},
		"too many sessions":               {func(o *ringwall.Options) { o.SessionMax = 1000 }, "1 to 99"},
		"a negative mirror":               {func(o *ringwall.Options) { o.SessionCacheBytes = -1 }, "SessionCacheBytes"},
		"a way to sign up that is none":   {func(o *ringwall.Options) { o.Signup = "everybody" }, `"open", "invite"`},
		"domains that are not listed":     {func(o *ringwall.Options) { o.Signup = "domains" }, "list the domains"},
		"domains for nothing":             {func(o *ringwall.Options) { o.SignupDomains = []string{"example.org"} }, "belong together"},
		"a pattern for a domain":          {func(o *ringwall.Options) { o.Signup, o.SignupDomains = "domains", []string{"*.example.org"} }, "write example.org"},
		"an address for a domain":         {func(o *ringwall.Options) { o.Signup, o.SignupDomains = "domains", []string{"a@example.org"} }, "write example.org"},
		"an empty domain":                 {func(o *ringwall.Options) { o.Signup, o.SignupDomains = "domains", []string{""} }, "write example.org"},
		"a role in capitals":              {func(o *ringwall.Options) { o.Roles = map[string][]string{"Auditor": nil} }, "lower-case letters"},
		"a permission with a comma":       {func(o *ringwall.Options) { o.Roles = map[string][]string{"auditor": {"a,b"}} }, "A permission is"},
		"a permission without a name":     {func(o *ringwall.Options) { o.Roles = map[string][]string{"auditor": {""}} }, "A permission is"},
		"permissions without end":         {func(o *ringwall.Options) { o.Roles = map[string][]string{"auditor": make([]string, 101)} }, "at most 100"},
		"a proxy without a header": {func(o *ringwall.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
			"the one header it sets"},
		"no limit by address":         {func(o *ringwall.Options) { o.NoLimitAddress = true }, "for development"},
		"a limit that bounds nothing": {func(o *ringwall.Options) { o.LimitAddress = []ratelimit.Window{{Quota: 0, Per: time.Minute}} }, "LimitAddress"},
		"no limit by account":         {func(o *ringwall.Options) { o.NoLimitAccount = true }, "for development"},
		"a limit by account of none":  {func(o *ringwall.Options) { o.LimitAccount = ratelimit.Window{Per: time.Minute} }, "1 to 100 tries"},
		"a limit by account too wide": {func(o *ringwall.Options) { o.LimitAccount = ratelimit.Window{Quota: 101, Per: time.Minute} }, "1 to 100 tries"},
		"a limit by account too long": {func(o *ringwall.Options) { o.LimitAccount = ratelimit.Window{Quota: 5, Per: 25 * time.Hour} }, "1 to 100 tries"},
		"no limit of the API":         {func(o *ringwall.Options) { o.NoLimitAPI = true }, "for development"},
		"a quota of nothing":          {func(o *ringwall.Options) { o.LimitAPI = []ratelimit.Window{{Quota: 0, Per: time.Minute}} }, "LimitAPI"},
		"a schema that is none":       {func(o *ringwall.Options) { o.MetadataSchema = `{"own": {"type": "text"}}` }, "the part own"},
		"a schema that is not there":  {func(o *ringwall.Options) { o.MetadataSchema = "/nowhere/metadata.json" }, "/nowhere/metadata.json"},
		"everybody as a proxy":        {func(o *ringwall.Options) { o.TrustedProxies, o.TrustedProxyHeader = everybody, "X-Forwarded-For" }, "name the proxy's own"},
		"administrators everywhere":   {func(o *ringwall.Options) { o.AdminNetworks = everybody }, "name the networks"},
		"a header without a proxy":    {func(o *ringwall.Options) { o.TrustedProxyHeader = "X-Forwarded-For" }, "name the proxy's network"},
	} {
		t.Run(name, func(t *testing.T) {
			ignore := goleak.IgnoreCurrent()
			o := production(testdb.SQLite(t))
			tt.change(&o)
			rw, err := ringwall.New(t.Context(), o)
			if err == nil {
				closed(t, rw)
				t.Fatal("New took it")
			}
			if !strings.Contains(err.Error(), tt.mend) {
				t.Errorf("New = %v, want the mend %q", err, tt.mend)
			}
			for _, secret := range []string{masterKey, masterKey[2:], "hunter-word"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells a secret: %v", err)
				}
			}
			goleak.VerifyNone(t, ignore)
		})
	}
}

// Several faults are told at once, so that nobody mends them one start at a time.
func TestNewTellsEveryFault(t *testing.T) {
	_, err := ringwall.New(t.Context(), ringwall.Options{Prefix: "x", PasswordMinLength: 3, LimitGlobal: -1, LimitMails: -1})
	for _, part := range []string{"Database", "Origins", "SMTP", "Prefix", "PasswordMinLength", "LimitGlobal", "LimitMails"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("New = %v, want %s named", err, part)
		}
	}
}

// The options are the caller's again after New.
func TestOptionsAreCopied(t *testing.T) {
	o := production(testdb.SQLite(t))
	rw := open(t, o)
	defer closed(t, rw)
	o.Origins[0] = "https://evil.example"
	if got := serve(rw.Handler(), "GET", "https://id.example.org/auth/login"); got.Code != 200 {
		t.Errorf("GET /auth/login after the caller's slice changed = %d, want 200", got.Code)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		ignore := goleak.IgnoreCurrent()
		rw := open(t, production(db))
		if err := rw.Ready(t.Context()); err != nil {
			t.Errorf("Ready: %v", err)
		}
		if _, err := rw.Operate(t.Context(), "tester", "user.create", []byte(`{"email":"close@example.org","password":"correct horse battery staple"}`)); err != nil {
			t.Error(err)
		}
		begun := time.Now()
		closed(t, rw)
		closed(t, rw) // twice is no error
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("Close took %v", took)
		}
		goleak.VerifyNone(t, ignore)

		// Whoever still asks is told, and nothing blocks or panics.
		if err := rw.Ready(t.Context()); err == nil {
			t.Error("Ready after Close found the database")
		}
		if _, err := rw.Operate(t.Context(), "tester", "user.list", []byte(`{}`)); err == nil {
			t.Error("a command after Close did something")
		}
		if got := serve(rw.Handler(), "POST", "https://id.example.org/auth/v1/login", `{"email":"close@example.org","password":"correct horse battery staple"}`); got.Code != 503 {
			t.Errorf("sign-in after Close = %d, want 503\n%s", got.Code, got.Body)
		}

		// What was sealed last was sealed: another instance has nothing to find.
		again := open(t, production(db))
		defer closed(t, again)
		out, err := again.Operate(t.Context(), "tester", "audit.verify", []byte(`{}`))
		if err != nil || !strings.Contains(string(out), `"ok":true`) || !strings.Contains(string(out), `"waiting":0`) {
			t.Errorf("audit.verify after Close = %s, %v; want everything sealed", out, err)
		}
	})
}

// A worker that cannot end in time is told of, and Close returns.
func TestCloseKeepsItsDeadline(t *testing.T) {
	rw := open(t, production(testdb.SQLite(t)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	if err := rw.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Close with a context that has ended = %v", err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("Close took %v", took)
	}
}

// Two instances in one process share nothing: their people, their keys, their cookies.
func TestTwoInstancesInOneProcess(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		one := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey)})
		other := start(t, ringwall.Options{})
		c := one.SignIn("two@example.org")
		want(t, "where she signed in", c.Get("/"), 200, "")
		stranger := other.Client()
		stranger.Header.Set("Cookie", "__Host-ringwall="+c.Cookie("__Host-ringwall"))
		want(t, "her cookie at the other", stranger.Get("/"), 401, "unauthenticated")
		want(t, "her password at the other", login(other.Client(), "two@example.org", "correct horse battery staple"), 401, "login-failed")
		closed(t, other.Ringwall)
		want(t, "where she signed in, after the other's end", c.Get("/"), 200, "")
	})
}

// D26, S097: a database of another environment, or of another key, is not ours.
func TestNewRefusesAnotherDatabase(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		closed(t, open(t, production(db)))
		ignore := goleak.IgnoreCurrent()
		for name, tt := range map[string]struct {
			change func(*ringwall.Options)
			mend   []string
		}{
			"another environment": {func(o *ringwall.Options) { o.Environment = "staging" }, []string{`"production"`, `"staging"`, "ENVIRONMENT"}},
			"development":         {func(o *ringwall.Options) { o.Development = true }, []string{`"production"`, `"development"`, "ENVIRONMENT"}},
			"another master key":  {func(o *ringwall.Options) { o.MasterKey = ringwall.NewSecret(masterKey[2:] + "99") }, []string{"another master key", "MASTER_KEY"}},
			"both": {func(o *ringwall.Options) {
				o.Environment, o.MasterKey = "x", ringwall.NewSecret(masterKey[32:]+masterKey[:32])
			}, []string{"another environment"}},
			"no master key anywhere": {func(o *ringwall.Options) { o.MasterKey = ringwall.Secret{} }, []string{"master key"}},
		} {
			o := production(db)
			tt.change(&o)
			rw, err := ringwall.New(t.Context(), o)
			if err == nil {
				closed(t, rw)
				t.Errorf("%s: New took it", name)
				continue
			}
			for _, part := range tt.mend {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: New = %v, want %s", name, err, part)
				}
			}
		}
		goleak.VerifyNone(t, ignore)
		closed(t, open(t, production(db))) // and the right ones are taken as before
	})
}

// S091: outside of development the server does not run with the rights of an owner, nor on a schema that is not its own.
func TestNewRefusesWhatMigrateDidNotPrepare(t *testing.T) {
	for name, tt := range map[string]struct {
		db   func() testdb.DB
		mend string
	}{
		"the owner of the tables": {func() testdb.DB { db := testdb.Postgres(t); db.DSN = db.OwnerDSN; return db }, "ringwall migrate up"},
		"a superuser":             {func() testdb.DB { db := testdb.Postgres(t); db.DSN = db.AdminDSN; return db }, "superuser"},
		"an empty database":       {func() testdb.DB { return testdb.Empty(t) }, "ringwall migrate up"},
		"nobody there":            {func() testdb.DB { return testdb.DB{DSN: "postgres://x:secret-word@127.0.0.1:9/x?connect_timeout=2"} }, "database"},
	} {
		t.Run(name, func(t *testing.T) {
			db := tt.db()
			ignore := goleak.IgnoreCurrent()
			rw, err := ringwall.New(t.Context(), production(db))
			if err == nil {
				closed(t, rw)
				t.Fatal("New took it")
			}
			if !strings.Contains(err.Error(), tt.mend) {
				t.Errorf("New = %v, want the mend %q", err, tt.mend)
			}
			if strings.Contains(err.Error(), "secret-word") || strings.Contains(err.Error(), "ringwall-test@") {
				t.Errorf("the error tells the password: %v", err)
			}
			goleak.VerifyNone(t, ignore)
		})
	}
}
