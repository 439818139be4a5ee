package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/account"
)

type userImport struct {
	File           string `arg:"" help:"The file, or - for standard input."`
	Format         string `default:"auto" enum:"auto,csv,jsonl,auth0,supabase,firebase,keycloak" placeholder:"FORMAT" help:"csv or jsonl as Ringwall exports them (auto finds out which), or the export of another system: auth0, supabase, firebase, keycloak."`
	FirebaseConfig string `placeholder:"FILE" help:"The project's hash_config as the Firebase console shows it; readable by its owner alone."`
	AssumeVerified bool   `help:"Take the addresses to be confirmed where the file says nothing about that."`
	DryRun         bool   `help:"Only report what would be done."`
	JSON           bool   `name:"json" help:"Print JSON, one object a line."`
}

// Help is the example.
func (userImport) Help() string {
	return `Who has an account already is passed over, so an import that was interrupted is run again as it was. People without a password hash choose one by a mailed link when they come. No mail is sent. Ends with status 1 if rows were refused; each is told with its line and reason. docs/import.md has the columns, and recipes for other systems.

Example:

    ringwall user import people.csv --dry-run
    ringwall user import people.csv`
}

// Run takes in people.
func (c *userImport) Run(ctx context.Context, a *app, group *userCommands) error {
	options := rosterOptions{format: c.Format, verified: c.AssumeVerified, now: time.Now}
	if c.FirebaseConfig != "" {
		var err error
		if options.firebase, err = readFirebaseConfig(c.FirebaseConfig); err != nil {
			return err
		}
	}
	in, size := a.in, int64(0)
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return misuse{fmt.Errorf("%s cannot be read: %s", c.File, reasonOf(err))}
		}
		defer func() { _ = file.Close() }()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in = file
	}
	counted := &countingReader{in: in}
	people, err := openRoster(counted, options)
	if err != nil {
		return misuse{err}
	}
	d, err := a.openDoor(ctx, group.settingFlags)
	if err != nil {
		return err
	}
	run := importRun{command: c, app: a, door: d, people: people, progress: newProgress(a.err, "rows", func() (int64, int64) { return counted.read.Load(), size })}
	if c.DryRun {
		run.seen = map[uint64]bool{}
	}
	err = run.all(ctx)
	return errors.Join(run.finish(err), d.close())
}

// countingReader counts for the progress.
type countingReader struct {
	in   io.Reader
	read atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// A batch is one transaction, and one request of less than the control socket takes.
const batchMaxBytes = controlMaxBytes / 2

// seenMost bounds what a dry run remembers to find addresses that stand in the file twice.
const seenMost = 2_000_000

type importRun struct {
	command  *userImport
	app      *app
	door     door
	people   roster
	progress *progress
	seen     map[uint64]bool // nil: the database knows
	seed     maphash.Seed

	batch  []personRow
	places []string
	bytes  int
	total  importTotal
}

type importTotal struct {
	Read    int64 `json:"read"`
	Made    int64 `json:"made"`
	There   int64 `json:"there"`
	Refused int64 `json:"refused"`
	Dry     bool  `json:"dry_run"`
	Whole   bool  `json:"whole"` // the file was read to its end
}

type importRefusal struct {
	At     string `json:"at"`
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

var errRowsRefused = errors.New("some rows were refused; the others are done")

func (r *importRun) all(ctx context.Context) error {
	r.seed = maphash.MakeSeed()
	for {
		person, at, err := r.people.next()
		if errors.Is(err, io.EOF) {
			if err := r.send(ctx); err != nil {
				return err
			}
			r.total.Whole = true
			return nil
		}
		if fault, ok := errors.AsType[rowFault](err); ok {
			r.total.Read++
			if err := r.refuse(at, fault.field, fault.detail); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", at, err), r.send(ctx))
		}
		r.total.Read++
		if err := r.add(ctx, person, at); err != nil {
			return err
		}
	}
}

// add puts somebody into the batch, and sends it first if it is full.
func (r *importRun) add(ctx context.Context, person personRow, at string) error {
	text, err := json.Marshal(person)
	if err != nil {
		return err
	}
	if len(r.batch) == account.ImportMost || r.bytes+len(text) > batchMaxBytes {
		if err := r.send(ctx); err != nil {
			return err
		}
	}
	r.batch, r.places, r.bytes = append(r.batch, person), append(r.places, at), r.bytes+len(text)
	return nil
}

// send imports the batch.
func (r *importRun) send(ctx context.Context) error {
	if len(r.batch) == 0 {
		return ctx.Err()
	}
	var out struct {
		Users []struct {
			Outcome account.Outcome `json:"outcome"`
			Field   string          `json:"field"`
			Detail  string          `json:"detail"`
		} `json:"users"`
	}
	if err := ask(ctx, r.door, "user.import", map[string]any{"users": r.batch, "dry_run": r.command.DryRun}, &out); err != nil {
		return err
	}
	if len(out.Users) != len(r.batch) {
		return errors.New("user.import: the answer has another number of people. Is the command of another version than the server?")
	}
	for i, each := range out.Users {
		switch {
		case each.Outcome == account.ImportRefused:
			if err := r.refuse(r.places[i], each.Field, each.Detail); err != nil {
				return err
			}
		case each.Outcome == account.ImportThere || r.twice(r.batch[i].Email):
			r.total.There++
		default:
			r.total.Made++
		}
	}
	r.batch, r.places, r.bytes = r.batch[:0], r.places[:0], 0
	r.progress.tell(r.total.Read)
	return nil
}

// twice reports, in a dry run, whether the address has been in the file before.
func (r *importRun) twice(address string) bool {
	if r.seen == nil {
		return false
	}
	parsed, err := input.ParseEmail(address)
	if err != nil {
		return false
	}
	sum := maphash.String(r.seed, parsed.Key())
	if r.seen[sum] {
		return true
	}
	if len(r.seen) < seenMost {
		r.seen[sum] = true
	}
	return false
}

func (r *importRun) refuse(at, field, detail string) error {
	r.total.Refused++
	if r.command.JSON {
		return r.app.printLine(importRefusal{at, field, detail})
	}
	if field != "" {
		field += ": "
	}
	return r.app.say(oneLine(at + ": " + field + detail))
}

// finish tells what was done, also where something went wrong.
func (r *importRun) finish(err error) error {
	r.progress.end()
	r.total.Dry = r.command.DryRun
	var told error
	if r.command.JSON {
		told = r.app.printLine(r.total)
	} else {
		made := "made"
		if r.total.Dry {
			made = "would be made"
		}
		told = r.app.say(fmt.Sprintf("%s read: %d %s, %d there already, %d refused.", counted(r.total.Read, "row"), r.total.Made, made, r.total.There, r.total.Refused))
	}
	switch {
	case err != nil:
		return errors.Join(err, told, errors.New("the import stopped in the middle. What is done is done: run the same command again"))
	case r.total.Refused > 0:
		return errors.Join(told, errRowsRefused)
	}
	return told
}

// printLine prints one object for programs, in one line.
func (a *app) printLine(data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	_, err = io.WriteString(a.out, escapeJSON(string(text))+"\n")
	return err
}
