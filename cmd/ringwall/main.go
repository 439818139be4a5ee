// Command ringwall is authentication and authorisation for a backend, as one process.
//
//	ringwall dev                        start at once, with a database in ./ringwall-data and mails on a page
//	ringwall serve                      serve people; refuses to start unsafe, and says how to mend it
//	ringwall migrate up|status|dry-run  bring the tables of a PostgreSQL database up to date, as their owner
//	ringwall user …, session …          look after people and their sessions
//	ringwall role list|allow|deny       say what roles allow
//	ringwall policy                     list every route with its rule
//	ringwall limits show|clear|block …  see and lift what holds people up, and keep networks out
//	ringwall audit tail|export|verify   read and check the audit log
//	ringwall alert list, webhook …      see what goes on; send webhooks again that were given up
//	ringwall password …                 measure what passwords may cost, prepare the breach check
//	ringwall init DIR                   make a small hardened service to begin with
//	ringwall vet                        look for doors around Ringwall's packages in the source of a program
//	ringwall version
//
// Each command has --help with an example. Settings come from flags and RINGWALL_ variables; see docs/settings.md.
// The exit status is 0, 1 (failed) or 2 (misused, or refused because of its settings).
//
// While a server holds the data folder, commands speak to it through the socket control.sock in that folder; while
// none does, they take the folder's lock and open the database themselves. So no command writes behind the back of a server.
//
// The command is a thin user of the library: whatever it does, a program that imports the library can do. It runs on
// Linux, macOS and FreeBSD.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/settings"
)

// The exit status of a command.
const (
	statusFailed = 1
	statusMisuse = 2
)

// app is the world around a command.
type app struct {
	args    []string // without the name of the command
	environ []string
	in      io.Reader
	out     io.Writer
	err     io.Writer

	patience patience // with a running server
}

func main() {
	if isVetTool(os.Args[1:]) {
		vetTool()
	}
	// Whatever is made here (database, keys, lock, socket) is for its owner alone.
	syscall.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{args: os.Args[1:], environ: os.Environ(), in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(a.run(ctx))
}

func (a *app) run(ctx context.Context) int {
	parser, err := kong.New(newCommands(), kong.Name("ringwall"),
		kong.Description("Authentication and authorisation for a backend."),
		kong.Writers(a.out, a.err), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Bind(a), kong.BindTo(ctx, (*context.Context)(nil)), kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(readDuration)))
	if err != nil {
		return a.fail(err)
	}
	parsed, err := parser.Parse(a.args)
	if err != nil {
		return a.fail(misuse{err})
	}
	if err := parsed.Run(); err != nil {
		return a.fail(err)
	}
	return 0
}

// readDuration reads how long something takes, from a flag.
func readDuration(parsed *kong.DecodeContext, into reflect.Value) error {
	var text string
	if err := parsed.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no length of time. Write it in hours, minutes or seconds, such as 24h or 90m", text)
	}
	into.SetInt(int64(d))
	return nil
}

// misuse is an error of whoever typed the command.
type misuse struct{ error }

// Unwrap is what was misused.
func (m misuse) Unwrap() error { return m.error }

// refused are settings with which a command does not start.
type refused struct {
	command string
	faults  settings.Faults
}

func (r refused) Error() string {
	count := "one fault"
	if len(r.faults) > 1 {
		count = fmt.Sprintf("%d faults", len(r.faults))
	}
	return fmt.Sprintf("%s does not start: %s in its settings.\n  %s", r.command, count, strings.ReplaceAll(r.faults.Error(), "\n", "\n  "))
}

// fail tells what went wrong and returns the exit status.
func (a *app) fail(err error) int {
	status, text := statusFailed, redact(err.Error())
	if p, ok := errors.AsType[*problem.Error](err); ok {
		text = redact(p.Detail)
		for _, field := range p.Fields {
			if field.Detail == p.Detail {
				continue // it is said already
			}
			text += "\n  " + field.Name + ": " + field.Detail
		}
		if p.Kind == problem.Unavailable {
			text += causeOf(p)
		}
		if p.Kind == problem.Malformed || p.Kind == problem.Invalid {
			status = statusMisuse
		}
	}
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		if !strings.HasSuffix(text, "?") && !strings.HasSuffix(text, "...") {
			text += "."
		}
		text += "\nFor how to use it, run: " + strings.TrimSpace("ringwall "+commandOf(parse.Context)) + " --help"
	}
	if _, ok := errors.AsType[misuse](err); ok {
		status = statusMisuse
	}
	if _, ok := errors.AsType[*ringwall.OptionsError](err); ok {
		status, text = statusMisuse, inSettings(text)
	}
	if r, ok := errors.AsType[refused](err); ok {
		status, text = statusMisuse, r.Error() // it holds no secret, and its examples look like some
	}
	_, _ = fmt.Fprintln(a.err, "ringwall: "+printable(text))
	return status
}

// causeOf tells why the database is out of reach: whoever runs a command may know, and has nothing else to go by.
func causeOf(p *problem.Error) string {
	cause, told := p.Unwrap(), []string{""}
	if cause == nil {
		return ""
	}
	for line := range strings.Lines(redact(cause.Error())) {
		told = append(told, strings.TrimSpace(line))
	}
	return strings.Join(slices.Compact(told), "\n  ") // PostgreSQL is tried with and without TLS, and says the same twice
}

// commandOf is how far the command line could be understood.
func commandOf(parsed *kong.Context) string {
	if parsed == nil || parsed.Selected() == nil {
		return ""
	}
	return strings.TrimPrefix(parsed.Selected().FullPath(), "ringwall ")
}
