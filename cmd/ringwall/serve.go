package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os/signal"
	"syscall"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/settings"
)

type serveCommand struct {
	settingFlags
}

// Help is the example.
func (serveCommand) Help() string {
	return `Settings come from flags and variables; docs/settings.md tells them all. If something is unsafe, serve lists everything that is, with its mend, and ends with status 2. SIGTERM ends it after the requests that are under way.

Example:

    export RINGWALL_ORIGINS=https://id.example.org
    export RINGWALL_DATA=/var/lib/ringwall
    export RINGWALL_SMTP_FILE=/etc/ringwall/smtp
    export RINGWALL_MAIL_FROM='Example <login@example.org>'
    export RINGWALL_TRUSTED_PROXIES=127.0.0.1
    export RINGWALL_TRUSTED_PROXY_HEADER=X-Forwarded-For
    ringwall serve`
}

// join adds faults of settings that have none yet: one that could not be read is not also missing.
func join(faults, more settings.Faults) settings.Faults {
	known := map[string]bool{}
	for _, fault := range faults {
		known[fault.Setting] = true
	}
	for _, fault := range more {
		if !known[fault.Setting] {
			faults = append(faults, fault)
		}
	}
	return faults
}

// roleTimeout bounds the question which rights the database gives us.
const roleTimeout = 10 * time.Second

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, a *app) error {
	v, faults := a.readSettings(c.settingFlags)
	faults = join(faults, dangers(v))
	if len(faults) == 0 {
		if err := optionsOf(v, slog.New(slog.DiscardHandler)).Check(); err != nil {
			return err // before anything is connected to
		}
	}
	rights, err := roleFaults(ctx, v)
	faults = append(faults, rights...)
	if len(faults) > 0 {
		return refused{"serve", faults}
	}
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // the reader of the log may go away
	queue := newLogQueue(a.out)
	defer queue.close()
	logger := serverLog(queue, v.LogLevel)
	for _, name := range v.Unused(settings.Serve) {
		logger.Warn("a setting is given that serve does not read", "setting", name)
	}
	s := &site{values: v, log: logger, options: optionsOf(v, logger)}
	if v.TLSCert != "" {
		if s.tls, err = serverTLS(v, logger); err != nil {
			return err
		}
	} else {
		s.onlyFrom = v.TrustedProxies
	}
	s.ready = func(at net.Addr) {
		logger.Info("ready", "address", at.String(), "ops_address", s.opsAddress(), "version", built().Version, "revision", built().Revision)
	}
	return s.run(ctx)
}

// roleFaults are the rights in PostgreSQL that the server should not have.
func roleFaults(ctx context.Context, v *settings.Values) (settings.Faults, error) {
	database := databaseOf(v)
	if !isPostgres(database) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, roleTimeout)
	defer cancel()
	rights, err := ringwall.RuntimeRoleFaults(ctx, database.Reveal())
	if err != nil {
		return nil, fmt.Errorf("the database cannot be used: %w", err)
	}
	var faults settings.Faults
	for _, right := range rights {
		faults = append(faults, settings.Fault{Setting: v.Source("DATABASE").From, Detail: right})
	}
	return faults, nil
}

func serverTLS(v *settings.Values, logger *slog.Logger) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(v.TLSCert, v.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("%s and %s cannot be used: %s", v.TLSCert, v.TLSKey, reasonOf(err))
	}
	if pair.Leaf != nil {
		for _, problem := range certificateWarnings(pair.Leaf, v.Origins) {
			logger.Warn("browsers will refuse the certificate", "reason", problem)
		}
	}
	return &pair, nil
}

func certificateWarnings(leaf *x509.Certificate, origins []string) []string {
	var found []string
	if time.Now().After(leaf.NotAfter) {
		found = append(found, "it ended on "+leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil {
			continue
		}
		if err := leaf.VerifyHostname(u.Hostname()); err != nil {
			found = append(found, "it does not name "+u.Hostname())
		}
	}
	return found
}

// listen opens a listener and explains what can be in the way.
func listen(ctx context.Context, address, flag string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another process. Stop it, or choose another port with --%s", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s is not open to this user: ports below 1024 need the capability CAP_NET_BIND_SERVICE. Choose another port with --%s", address, flag)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be listened on: %s. Choose another address with --%s", address, reasonOf(err), flag)
	}
	return listener, nil
}
