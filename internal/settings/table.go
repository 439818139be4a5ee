package settings

import "slices"

const (
	servers  = Dev | Serve
	engine   = Dev | Serve | Operate
	deployed = Serve | Operate
	all      = Dev | Serve | Migrate | Operate
)

// Table is the declaration of every setting, in the order of docs/settings.md.
func Table() []Setting {
	return slices.Concat(reach(), storage(), rules(), alerts())
}

// reach is how people and proxies reach the server.
func reach() []Setting {
	return []Setting{
		{Name: "ADDR", Default: "127.0.0.1:8080", Example: "0.0.0.0:443", Users: servers, into: func(v *Values) any { return &v.Addr },
			Help: "The address and port to listen on."},
		{Name: "OPS_ADDR", Default: "127.0.0.1:8081", Example: "10.0.0.5:8081", Users: Serve, into: func(v *Values) any { return &v.OpsAddr },
			Help: "The address and port of the second listener, for /healthz and /readyz; keep it from the public."},
		{Name: "ORIGINS", Example: "https://id.example.org,https://app.example.org", Users: engine, into: func(v *Values) any { return &v.Origins },
			Help: "The origins under which people reach the service, separated by commas; the first stands in mails, other hosts are answered 421."},
		{Name: "PREFIX", Default: "/auth", Example: "/auth", Users: engine, into: func(v *Values) any { return &v.Prefix },
			Help: "The path below which everything of Ringwall lives."},
		{Name: "ENVIRONMENT", Default: "production", Example: "staging", Users: deployed, into: func(v *Values) any { return &v.Environment },
			Help: "The name of this installation; a database and keys of another environment are refused."},
		{Name: "TLS_CERT", Example: "/etc/ringwall/cert.pem", Users: Serve, into: func(v *Values) any { return &v.TLSCert },
			Help: "The file of the certificate and its chain, as PEM."},
		{Name: "TLS_KEY", Example: "/etc/ringwall/key.pem", Users: Serve, into: func(v *Values) any { return &v.TLSKey },
			Help: "The file of the certificate's key, as PEM, readable by its owner alone."},
		{Name: "TRUSTED_PROXIES", Example: "127.0.0.1,10.0.0.0/24", Users: Serve, into: func(v *Values) any { return &v.TrustedProxies },
			Help: "The addresses or networks of the proxies in front, separated by commas; only their TRUSTED_PROXY_HEADER is believed."},
		{Name: "TRUSTED_PROXY_HEADER", Example: "X-Forwarded-For", Users: Serve, into: func(v *Values) any { return &v.TrustedProxyHeader },
			Help: "The one header in which these proxies name the client's address; one with another meaning, such as Cookie or Host, is refused."},
		{Name: "ADMIN_NETWORKS", Default: "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7", Example: "127.0.0.1,203.0.113.0/24", Users: servers, into: func(v *Values) any { return &v.AdminNetworks },
			Help: "The addresses or networks from which administrators may act; behind a proxy that is not in TRUSTED_PROXIES nobody is in them."},
		// #nosec G101 -- an example
		{Name: "SMTP", Example: "smtp://user:password@mail.example.org:587", Secrecy: Hidden, Users: deployed, into: func(v *Values) any { return &v.SMTP },
			Help: "The mail server: smtp:// upgrades to TLS before anything is sent, smtps:// is TLS from the start."},
		{Name: "MAIL_FROM", Example: "Example <login@example.org>", Users: deployed, into: func(v *Values) any { return &v.MailFrom },
			Help: "The sender of mails."},
		{Name: "SERVICE_NAME", Example: "Example", Users: engine, into: func(v *Values) any { return &v.ServiceName },
			Help: "What pages and mails call the service; without it the host of the first origin."},
	}
}

// storage is where data and keys lie.
func storage() []Setting {
	return []Setting{
		{Name: "DATA", Default: "ringwall-data", Example: "/var/lib/ringwall", Users: all, into: func(v *Values) any { return &v.Data },
			Help: "The folder for the database, the master key, the lock and the control socket, for its owner alone."},
		{Name: "DATABASE", Example: "postgres://ringwall_runtime@db.example.org/ringwall", Secrecy: HiddenPassword, Users: Serve | Migrate | Operate, into: func(v *Values) any { return &v.Database },
			Help: "The database: sqlite:PATH or postgres://…; without it sqlite in ringwall.db in the data folder."},
		{Name: "DATABASE_OWNER", Example: "postgres://ringwall_owner@db.example.org/ringwall", Secrecy: HiddenPassword, Users: Migrate, into: func(v *Values) any { return &v.DatabaseOwner },
			Help: "The same PostgreSQL database as the owner of the tables, for migrate alone."},
		{Name: "MASTER_KEY", Example: "64 hexadecimal digits", Secrecy: Hidden, Users: deployed, into: func(v *Values) any { return &v.MasterKey },
			Help: "The key that wraps all others: 32 random bytes as hex or base64; without it the file master.key in the data folder."},
	}
}

// rules are the limits on passwords, sessions and attempts.
func rules() []Setting {
	return []Setting{
		{Name: "SIGNUP", Default: "open", Example: "invite", Users: engine, into: func(v *Values) any { return &v.Signup },
			Help: "Who may get an account without an operator: open (everybody), domains (addresses of SIGNUP_DOMAINS), invite (whoever was invited) or closed (nobody)."},
		{Name: "SIGNUP_DOMAINS", Example: "example.org,example.com", Users: engine, into: func(v *Values) any { return &v.SignupDomains },
			Help: "The domains whose addresses may sign up, separated by commas, with SIGNUP=domains; a subdomain is another domain."},
		{Name: "ARGON2ID", Default: "m=65536,t=3,p=1", Example: "m=131072,t=3,p=1", Users: engine, into: func(v *Values) any { return &v.Argon2id },
			Help: "The cost of a password hash: memory in KiB, passes, lanes; not less than m=19456,t=2,p=1."},
		{Name: "PASSWORD_MIN_LENGTH", Default: "15", Example: "16", Users: engine, into: func(v *Values) any { return &v.PasswordMinLength },
			Help: "The least number of characters in a password, 15 or more."},
		{Name: "BREACH_CHECK", Default: "off", Example: "/var/lib/ringwall/breached", Users: engine, into: func(v *Values) any { return &v.BreachCheck },
			Help: "Refuses new passwords known from breaches: a file of `ringwall password breach-filter`, or the https address of a server with the range format of Pwned Passwords; off asks nobody."},
		{Name: "METADATA_SCHEMA", Example: "/etc/ringwall/metadata.json", Users: engine, into: func(v *Values) any { return &v.MetadataSchema },
			Help: "The file of what may be kept about people: a JSON object with a JSON Schema for each of public, private and own; without it nothing may be kept."},
		{Name: "SESSION_IDLE", Default: "30m", Example: "15m", Users: engine, into: func(v *Values) any { return &v.SessionIdle },
			Help: "Ends a session this long after its last request."},
		{Name: "SESSION_ABSOLUTE", Default: "12h", Example: "8h", Users: engine, into: func(v *Values) any { return &v.SessionAbsolute },
			Help: "Ends a session this long after sign-in."},
		{Name: "SESSION_REMEMBERED", Default: "720h", Example: "168h", Users: engine, into: func(v *Values) any { return &v.SessionRemembered },
			Help: "Ends a session this long after a sign-in that asked to be remembered."},
		{Name: "SESSION_MAX", Default: "20", Example: "5", Users: engine, into: func(v *Values) any { return &v.SessionMax },
			Help: "How many sessions a person may have; one more ends the least recently used."},
		{Name: "SESSION_CACHE", Default: "256MiB", Example: "64MiB", Users: servers, into: func(v *Values) any { return &v.SessionCacheBytes },
			Help: "The memory for the mirror of sessions (SQLite)."},
		{Name: "DELETION_DELAY", Default: "336h", Example: "168h", Users: engine, into: func(v *Values) any { return &v.DeletionDelay },
			Help: "How long an account whose deletion was asked for can still be kept by the mailed link; 1h to 2160h."},
		{Name: "LIMIT_ADDRESS", Default: "20/1m,100/1h", Example: "40/1m,400/1h", Users: servers, into: func(v *Values) any { return &v.LimitAddress },
			Help: "The sign-ins, codes and resets an address may try in a time, one to three limits separated by commas; what was right does not count, sign-ups are a quarter; off is refused in production."},
		{Name: "LIMIT_ACCOUNT", Default: "5/5m", Example: "3/10m", Users: servers, into: func(v *Values) any { return &v.LimitAccount },
			Help: "The failed attempts an account may have in a time before it must wait, as long again and then ever longer, up to an hour: 1 to 100 in a second to 24h; a known device counts apart; off in dev alone."},
		{Name: "LIMIT_GLOBAL", Example: "600/1m", Users: servers, into: func(v *Values) any { return &v.LimitGlobal },
			Help: "The attempts a minute that may reach the hashing of passwords, on all nodes together; without it ten times the median of a week, and at least half of what can be hashed; off in dev alone."},
		{Name: "LIMIT_MAILS", Default: "120/1m", Example: "600/1m", Users: servers, into: func(v *Values) any { return &v.LimitMails },
			Help: "The mails a minute that strangers may cause, on all nodes together; the second half of them behind a challenge; people on their own devices are not counted; off in dev alone."},
		{Name: "LIMIT_API", Default: "600/1m", Example: "1200/1m", Users: servers, into: func(v *Values) any { return &v.LimitAPI },
			Help: "The requests that one person may make to the JSON API in a time, in all sessions together, on each node, one to three limits separated by commas; checks of a session do not count; off in dev alone."},
		{Name: "LOG_LEVEL", Default: "info", Example: "warn", Users: servers, into: func(v *Values) any { return &v.LogLevel },
			Help: "The least level to log: debug, info, warn or error; debug is refused in production."},
	}
}

// alerts are who is told of what goes on.
func alerts() []Setting {
	return []Setting{
		{Name: "ALERT_MAIL", Example: "ops@example.org", Users: servers, into: func(v *Values) any { return &v.AlertMail },
			Help: "Who gets a mail when an alert opens and when it closes."},
		{Name: "ALERT_LANGUAGE", Default: "en", Example: "de", Users: servers, into: func(v *Values) any { return &v.AlertLanguage },
			Help: "The language of these mails: en or de."},
		{Name: "ALERT_WEBHOOK", Example: "https://alerts.example.org/ringwall", Secrecy: Hidden, Users: servers, into: func(v *Values) any { return &v.AlertWebhook },
			Help: "The https address that is told when an alert opens and closes, in the form of Standard Webhooks."},
		// #nosec G101 -- an example
		{Name: "ALERT_WEBHOOK_SECRET", Example: "whsec_ and the base64 of 32 random bytes", Secrecy: Hidden, Users: servers, into: func(v *Values) any { return &v.AlertWebhookSecret },
			Help: "The secret that signs what is sent to ALERT_WEBHOOK."},
		{Name: "EVENTS_WEBHOOK", Example: "https://app.example.org/ringwall", Secrecy: Hidden, Users: engine, into: func(v *Values) any { return &v.EventsWebhook },
			Help: "The https address that is told what becomes of accounts and sessions, in the form of Standard Webhooks; commands that open a PostgreSQL database themselves need it too."},
		// #nosec G101 -- an example
		{Name: "EVENTS_WEBHOOK_SECRET", Example: "whsec_ and the base64 of 32 random bytes", Secrecy: Hidden, Users: engine, into: func(v *Values) any { return &v.EventsWebhookSecret },
			Help: "The secret that signs what is sent to EVENTS_WEBHOOK."},
		{Name: "INSECURE_WEBHOOK_NETWORKS", Example: "10.0.7.0/24", Users: servers, into: func(v *Values) any { return &v.InsecureWebhook },
			Help: "The networks in which ALERT_WEBHOOK and EVENTS_WEBHOOK may lie though they are not public, separated by commas; whoever sets an address reaches everything in them."},
	}
}
