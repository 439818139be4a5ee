// Package run starts another program with arguments that a request may have chosen, without a shell.
//
//	convert, err := run.New("/usr/bin/pdftotext", run.Options{Timeout: 5 * time.Second})
//	…
//	out, err := convert.Run(ctx, run.Flag("-layout"), run.Flag("--"), run.Value(name), run.Flag("-"))
//
// # The rules
//
// The program is chosen once, by its absolute path, and nobody but root and the user of this process may be able to
// replace it: [New] refuses others, and the usual shells and programs that run what their arguments say, too. Arguments go to
// the program one by one, and nothing on the way reads them: a semicolon, $(…), a line break or a quote is a character.
//
// A [Flag] is a constant of your program; a text from elsewhere does not compile. A [Value] may come from anywhere, and
// is never read as a flag, because one that begins with a hyphen is refused, as is one with a NUL or of more than 32 KiB.
//
// The program gets an environment of its own (PATH, LC_ALL and what [Options.Env] names), an empty standard input and no
// other open file or socket of this process, the folder / or [Options.Dir], and a process group of its own. After [Options.Timeout], when the context ends, or with more
// than [Options.MaxOutputBytes] of output, the whole group is killed. So is what a program leaves behind when it ends.
//
// # What it does not catch
//
// What the program does with a value is its own matter: a name is a file or an address, "@" a file to curl, "+" a
// command to editors, and the first one of an interpreter (python3, perl) a script: make that one a Flag. Put a Flag("--") in front of values where the program knows it, and check values for what they
// mean (package input). The program runs as the user of this process, with its rights, files and network: give it a
// unit or a container of its own if it reads what strangers send. A child that leaves the process group (setsid) is
// killed neither by the deadline nor at the end; a container or a control group holds it.
//
// It is made for systems that have process groups: Linux, macOS and the BSDs. Where /dev/fd does not tell what is open (FreeBSD
// without fdescfs), files that this process was started with stay open in the program.
package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	defaultTimeout     = 10 * time.Second
	defaultOutputBytes = 1 << 20
	defaultAtOnce      = 4
	grace              = time.Second // for output that something outside of the group still holds open
)

// What [New] and [Program.Run] return, to be looked for with [errors.Is]. None repeats a value.
var (
	// ErrProgram says that the program may not be run or cannot be started.
	ErrProgram = errors.New("the program may not be run")
	// ErrArgument says that a value could be read as something else, or that there is too much of them. Nothing ran.
	ErrArgument = errors.New("the argument may not be passed")
	// ErrBusy says that as many as may run at once did so all the while. Nothing ran.
	ErrBusy = errors.New("too many run at once")
	// ErrTimeout says that the program was killed at its deadline.
	ErrTimeout = errors.New("the program took too long")
	// ErrOutput says that the program was killed because it wrote too much.
	ErrOutput = errors.New("the program wrote too much")
	// ErrFailed says that the program ended by itself with another code than 0, or that a signal ended it.
	ErrFailed = errors.New("the program failed")
)

// Options adjust a program. The zero value is the safe one.
type Options struct {
	// Timeout is how long one run may take, and how long it may wait for its turn. Default: 10 seconds.
	Timeout time.Duration

	// MaxOutputBytes is how much standard output, and standard error, a run may write. Default: 1 MiB.
	MaxOutputBytes int64

	// Dir is the absolute path of the folder that the program starts in. Default: /.
	Dir string

	// Env is added to the environment, each as NAME=value: constants of yours, never input. Names that make a program
	// load or run something else (LD_PRELOAD, BASH_ENV …) are refused.
	Env []string

	// AtOnce is how many of this program run at the same time. Default: 4.
	AtOnce int
}

// Program is one that may be run. It is safe for concurrent use.
type Program struct {
	name  string // as New was called
	path  string // without symbolic links
	env   []string
	dir   string
	limit Options
	turns chan struct{}
}

// Output is what a run has written, and its exit code: -1 if a signal ended it.
type Output struct {
	Stdout, Stderr []byte
	Code           int
}

// New takes the absolute path of a program. The error is [ErrProgram] for one that is not there, that somebody else could
// replace, or that runs what its arguments say (a shell, env, sudo, xargs …), and plain for options that make no sense.
func New(program string, o Options) (*Program, error) {
	path, err := resolve(program)
	if err != nil {
		return nil, err
	}
	if o.Timeout < 0 || o.MaxOutputBytes < 0 || o.AtOnce < 0 {
		return nil, errors.New("run: Timeout, MaxOutputBytes and AtOnce must not be negative")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxOutputBytes == 0 {
		o.MaxOutputBytes = defaultOutputBytes
	}
	if o.AtOnce == 0 {
		o.AtOnce = defaultAtOnce
	}
	if o.Dir == "" {
		o.Dir = "/"
	}
	if info, err := os.Stat(o.Dir); err != nil || !info.IsDir() || !strings.HasPrefix(o.Dir, "/") {
		return nil, errors.New("run: Dir must be the absolute path of a folder")
	}
	env, err := environment(o.Env)
	if err != nil {
		return nil, err
	}
	return &Program{name: program, path: path, env: env, dir: o.Dir, limit: o, turns: make(chan struct{}, o.AtOnce)}, nil
}

// environment is what a program sees, and nothing of ours.
func environment(more []string) ([]string, error) {
	env := []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	for _, pair := range more {
		name, _, ok := strings.Cut(pair, "=")
		if !ok || name == "" || strings.ContainsRune(pair, 0) {
			return nil, errors.New("run: Env must hold NAME=value")
		}
		loads := slices.Contains([]string{"BASH_ENV", "ENV", "IFS", "SHELLOPTS", "PS4", "PERL5OPT", "PYTHONSTARTUP", "RUBYOPT", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS"}, name)
		if loads || strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "DYLD_") || strings.HasPrefix(name, "BASH_FUNC_") {
			return nil, fmt.Errorf("run: Env must not hold %s, which makes programs load or run something else", name)
		}
		env = append(env, pair)
	}
	return env, nil
}

// Run runs the program and waits for its end. With any error but [ErrArgument], [ErrBusy] and [ErrProgram], the output
// holds what had been written by then. When the context ends first, the error is its cause.
func (p *Program) Run(ctx context.Context, args ...Arg) (Output, error) {
	argv, err := join(p.name, args)
	if err != nil {
		return Output{Code: -1}, err
	}
	if err := p.enter(ctx); err != nil {
		return Output{Code: -1}, err
	}
	defer func() { <-p.turns }()
	if err := trusted(p.path); err != nil { // it may have been replaced since New
		return Output{Code: -1}, err
	}
	return p.run(ctx, argv)
}

// enter waits for a turn.
func (p *Program) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	waited := time.NewTimer(p.limit.Timeout)
	defer waited.Stop()
	select {
	case p.turns <- struct{}{}:
		return nil
	case <-waited.C:
		return fmt.Errorf("run %s: %w", p.name, ErrBusy)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Program) run(ctx context.Context, argv []string) (Output, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.limit.Timeout, ErrTimeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var pipes [2]*pipe
	for i := range pipes {
		var err error
		if pipes[i], err = newPipe(); err != nil {
			return Output{Code: -1}, fmt.Errorf("run %s: %w", p.name, err)
		}
		defer pipes[i].close()
	}
	cmd := exec.CommandContext(ctx, p.path) // #nosec G204 -- the path was chosen by the program and is looked at above
	cmd.Args, cmd.Env, cmd.Dir = argv, p.env, p.dir
	cmd.Stdout, cmd.Stderr = pipes[0].write, pipes[1].write
	cmd.ExtraFiles = make([]*os.File, passedOn()) // nil each: closed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	if err := cmd.Start(); err != nil {
		return Output{Code: -1}, fmt.Errorf("run %s: %w: %w", p.name, ErrProgram, err)
	}
	for _, pipe := range pipes {
		pipe.collect(p.limit.MaxOutputBytes, func() { stop(ErrOutput) })
	}
	waited := cmd.Wait()
	_ = killGroup(cmd.Process.Pid) // what it left behind; mostly there is nothing
	out := Output{Stdout: pipes[0].read(), Stderr: pipes[1].read(), Code: cmd.ProcessState.ExitCode()}
	switch {
	case pipes[0].over || pipes[1].over:
		return out, fmt.Errorf("run %s: %w", p.name, ErrOutput)
	case cmd.ProcessState.Success():
		return out, nil
	case ctx.Err() != nil:
		return out, fmt.Errorf("run %s: %w", p.name, context.Cause(ctx))
	default:
		return out, fmt.Errorf("run %s: %w: %w", p.name, ErrFailed, waited)
	}
}

// passedOn is how many descriptors behind standard error it takes to reach the last that a program would get: those that this
// process was started with, such as the socket of a service manager. What Go opens is closed by itself.
func passedOn() int {
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0 // the system does not tell
	}
	most := 0
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 { // #nosec G115 -- not negative
			most = max(most, fd-2)
		}
	}
	return most
}

// killGroup ends a process and all that it has started and that has not left its group.
func killGroup(leader int) error {
	err := syscall.Kill(-leader, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
