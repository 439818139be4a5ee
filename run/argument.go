package run

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxArgs       = 256
	maxValueBytes = 32 << 10
	maxTotalBytes = 128 << 10 // what every system takes
)

// constant accepts untyped constants only, because nobody outside of this package can name it.
type constant string

// Arg is one argument: a [Flag] or a [Value]. The zero Arg is refused.
type Arg struct {
	text string
	err  error
	made bool
}

// Flag is an argument that the program may read as it likes: an option, a command, a file of yours. It takes constants
// only; to choose among several, choose among constants.
func Flag(text constant) Arg {
	return Arg{text: string(text), err: plain(string(text)), made: true}
}

// Value is an argument that may come from anywhere. [Program.Run] refuses one that begins with a hyphen, holds a NUL or
// is longer than 32 KiB. An empty one is passed as such.
func Value(text string) Arg {
	a := Arg{text: text, err: plain(text), made: true}
	if strings.HasPrefix(text, "-") {
		a.err = errors.New("it begins with a hyphen, as flags do")
	}
	return a
}

func plain(text string) error {
	switch {
	case strings.ContainsRune(text, 0):
		return errors.New("it holds a NUL, at which it would end")
	case len(text) > maxValueBytes:
		return errors.New("it is too long")
	}
	return nil
}

// join is the argument vector of a run: the name of the program, and the arguments.
func join(name string, args []Arg) ([]string, error) {
	if len(args) > maxArgs {
		return nil, fmt.Errorf("run %s: %w: there are more than %d", name, ErrArgument, maxArgs)
	}
	argv, total := []string{name}, 0
	for i, a := range args {
		if !a.made {
			a.err = errors.New("it was made by neither Flag nor Value")
		}
		if a.err != nil {
			return nil, fmt.Errorf("run %s: argument %d: %w: %w", name, i+1, ErrArgument, a.err)
		}
		argv = append(argv, a.text)
		total += len(a.text) + 1
	}
	if total > maxTotalBytes {
		return nil, fmt.Errorf("run %s: %w: together they are too long", name, ErrArgument)
	}
	return argv, nil
}
