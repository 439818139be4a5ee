// Command invoices is an application behind Ringwall, to try and to copy from.
//
//	go run ./examples/invoices
//
// It needs no configuration: people, invoices and a password are made at each start, and gone at its end. With --data they stay.
// It is for this machine alone; what a service on the internet needs besides is in docs/operating.md.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/examples/invoices/app"
)

type flags struct {
	addr, data, database, hosts string
}

func main() {
	var f flags
	flag.StringVar(&f.addr, "addr", "127.0.0.1:8080", "where to listen, on this machine")
	flag.StringVar(&f.data, "data", "", "the folder for everything; empty: one that is gone at the end")
	flag.StringVar(&f.database, "database", "", "postgres://… of an empty database of yours; empty: SQLite in the data folder")
	flag.StringVar(&f.hosts, "webhook-hosts", "example.com", "hosts to which a webhook may go, with commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, f, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "invoices:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and tells on out where and for whom.
func run(ctx context.Context, f flags, out io.Writer) (err error) {
	listener, origins, err := listen(f.addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if f.data == "" {
		if f.data, err = os.MkdirTemp("", "invoices-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(f.data)) }()
	} else if err := os.MkdirAll(f.data, 0o700); err != nil {
		return err
	}
	rw, err := f.ringwall(ctx, origins)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, rw.Close(closing))
	}()
	ours, _ := f.databases()
	db, dialect, err := app.Open(ours)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	fresh, err := app.Migrate(ctx, db, dialect, "")
	if err != nil {
		return err
	}
	invoices, err := app.New(ctx, app.Config{DB: db, Dialect: dialect, WebhookHosts: strings.FieldsFunc(f.hosts, func(r rune) bool { return r == ',' })})
	if err != nil {
		return err
	}
	password := ""
	if fresh {
		if password, err = invoices.Demo(ctx, rw); err != nil {
			return err
		}
	}
	greet(out, origins[0], password)
	return serve(ctx, listener, rw.Protect(invoices.Mux()))
}

// listen listens on this machine alone, and names the origins under which a browser reaches it.
func listen(addr string) (net.Listener, []string, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil, fmt.Errorf("%s is taken by another process. Stop it, or choose another port with --addr", addr)
	} else if err != nil {
		return nil, nil, err
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return nil, nil, errors.Join(errors.New("this example shows every mail to whoever asks: listen on 127.0.0.1"), listener.Close())
	}
	return listener, []string{"http://" + net.JoinHostPort(host, port), "http://localhost:" + port}, nil
}

// ringwall is Ringwall for development: mails on a page, http on loopback.
func (f flags) ringwall(ctx context.Context, origins []string) (*ringwall.Ringwall, error) {
	_, theirs := f.databases()
	if f.database != "" { // SQLite is brought up to date by New
		if err := ringwall.Migrate(ctx, ringwall.MigrateOptions{Database: theirs, Development: true}); err != nil {
			return nil, err
		}
	}
	key, err := f.masterKey()
	if err != nil {
		return nil, err
	}
	return ringwall.New(ctx, ringwall.Options{
		Database: theirs, MasterKeyFile: key, Origins: origins, ServiceName: "Invoices",
		Roles:       map[string][]string{app.AccountantRole: {app.ReadAll}},
		Development: true, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// databases are that of the application and that of Ringwall: on PostgreSQL one, as SQLite two files with one writer each.
func (f flags) databases() (ours, theirs string) {
	if f.database != "" {
		return f.database, f.database
	}
	return "sqlite:" + filepath.Join(f.data, "invoices.db"), "sqlite:" + filepath.Join(f.data, "ringwall.db")
}

// masterKey is the file of the key that seals the database. Beside SQLite Ringwall makes one itself.
func (f flags) masterKey() (path string, err error) {
	if f.database == "" {
		return "", nil
	}
	path = filepath.Join(f.data, "master.key")
	if _, err = os.Stat(path); errors.Is(err, os.ErrNotExist) {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
		err = os.WriteFile(path, []byte(hex.EncodeToString(key)), 0o600)
	}
	return path, err
}

func greet(out io.Writer, origin, password string) {
	how := "Sign in as before. If you forgot how, ask for a reset; mails are at " + origin + "/auth/dev/mail"
	if password != "" {
		how = "Sign in as " + strings.Join(app.DemoPeople(), ", ") + " (the last one is an accountant), with the password\n\n  " + password +
			"\n\nor make an account of your own; mails are at " + origin + "/auth/dev/mail"
	}
	_, _ = fmt.Fprintf(out, "\nInvoices are at %s/\n\n%s\n\nStop with Ctrl-C.\n\n", origin, how)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := ringwall.Server(handler)
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		done <- server.Shutdown(closing)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}
