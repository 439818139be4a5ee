package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/password/breach"
)

type passwordCommands struct {
	Calibrate    passwordCalibrate    `cmd:"" help:"Measure what a password hash may cost on this machine."`
	BreachFilter passwordBreachFilter `cmd:"" help:"Make the file for the setting BREACH_CHECK from a list."`
}

// Help is the example.
func (passwordCommands) Help() string { return "Example:\n\n    ringwall password calibrate" }

type passwordCalibrate struct {
	Target time.Duration `default:"400ms" placeholder:"TIME" help:"How long a hash should take, 20ms to 1s."`
	JSON   bool          `name:"json" help:"Print JSON."`
}

// Help is the example.
func (passwordCalibrate) Help() string {
	return "Takes a few seconds. Run it on the machine that will serve, while that has nothing else to do. It takes memory first, as much as a slot of the hash queue may have, then passes.\n\nExample:\n\n    ringwall password calibrate --target 250ms"
}

type calibration struct {
	Setting      string  `json:"setting"`
	Argon2id     string  `json:"argon2id"`
	Millis       int64   `json:"milliseconds"`
	TargetMillis int64   `json:"target_milliseconds"`
	Slots        int     `json:"slots"`
	PerSecond    float64 `json:"sign_ins_a_second"`
	Slow         bool    `json:"slower_than_target"`
}

// Run measures.
func (c *passwordCalibrate) Run(ctx context.Context, a *app) error {
	queue, err := password.NewQueue(password.QueueOptions{}) // asked, not used
	if err != nil {
		return err
	}
	params, took, err := password.Calibrate(ctx, c.Target, password.SlotMemory(queue.Slots()), func(ctx context.Context, p password.Params) (time.Duration, error) {
		took, err := password.Measure(ctx, p)
		if err == nil {
			_, _ = fmt.Fprintf(a.err, "%s takes %s\n", p, took.Round(time.Millisecond)) // whoever watched is gone
		}
		return took, err
	})
	slow := errors.Is(err, password.ErrSlow)
	switch {
	case err != nil && took == 0 && ctx.Err() == nil:
		return misuse{err}
	case err != nil && !slow:
		return err
	}
	out := calibration{
		Setting: "RINGWALL_ARGON2ID=" + params.String(), Argon2id: params.String(), Millis: took.Milliseconds(), TargetMillis: c.Target.Milliseconds(),
		Slots: queue.Slots(), PerSecond: float64(queue.Slots()) / took.Seconds(), Slow: slow,
	}
	if c.JSON {
		return a.printJSON(out)
	}
	text := fmt.Sprintf("%s\n\nA hash takes %d ms. With %d at a time that makes about %.1f sign-ins a second.", out.Setting, out.Millis, out.Slots, out.PerSecond)
	if slow {
		text += fmt.Sprintf("\nThat is longer than %s, and nothing cheaper is allowed.", c.Target)
	}
	return a.say(text + "\nPeople get the new cost when they sign in next.")
}

type passwordBreachFilter struct {
	List string `arg:"" help:"The list, or - for standard input."`
	Out  string `arg:"" help:"The file to make; one that is there is replaced when the new one is whole."`
	Kind string `default:"auto" enum:"auto,sha1,text" placeholder:"KIND" help:"What stands in each line: sha1 (hexadecimal, perhaps with a colon and a count), or text (a password); auto finds out from the first."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (passwordBreachFilter) Help() string {
	return "The list may be of any length and in any order. 64 MiB of memory are used, and twice the room of the file, which takes eight bytes a password.\n\nExample:\n\n    ringwall password breach-filter pwned-passwords.txt /var/lib/ringwall/breached"
}

// Run makes the file.
func (c *passwordBreachFilter) Run(ctx context.Context, a *app) error {
	in, size := a.in, int64(0)
	if c.List != "-" {
		file, err := os.Open(c.List)
		if err != nil {
			return misuse{fmt.Errorf("%s cannot be read: %s", c.List, reasonOf(err))}
		}
		defer func() { _ = file.Close() }()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in = file
	}
	counting := &countingReader{in: in}
	told := newProgress(a.err, "lines", func() (int64, int64) { return counting.read.Load(), size })
	built, err := breach.Build(ctx, io.Reader(counting), breach.Kind(c.Kind), c.Out, told.tell)
	told.end()
	if err != nil {
		return fmt.Errorf("the file %s is not made: %w", c.Out, err)
	}
	if c.JSON {
		return a.printJSON(map[string]any{"file": c.Out, "lines": built.Lines, "skipped": built.Skipped, "passwords": built.Keys})
	}
	return a.say(fmt.Sprintf("%s made from %s, %d passed over: %d different passwords.", oneLine(c.Out), counted(built.Lines, "line"), built.Skipped, built.Keys))
}
