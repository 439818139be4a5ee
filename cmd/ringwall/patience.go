package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	askEvery    = 5 * time.Second
	aliveWithin = 10 * time.Second
)

// patience is how long a command waits for a sign of life of the server. An operation may take as long as it wants while the
// server gives one. Zeros are what is usual.
type patience struct {
	every time.Duration // while an operation is under way, after so long one is asked for
	most  time.Duration // for each
}

// silent is a server that holds the data folder and gives no sign of life, such as one that was stopped.
type silent struct {
	data  string
	pid   int
	after time.Duration
	name  string // of the operation that it was given; empty: none
}

func (e silent) Error() string {
	who, pid := "", "PID"
	if e.pid > 0 {
		pid = strconv.Itoa(e.pid)
		who = " (process " + pid + ")"
	}
	text := fmt.Sprintf("the server that holds %s%s does not answer: it gave no sign of life within %s. If it was stopped, let it go on: kill -CONT %s. If it hangs, end it and start it again: kill -KILL %s",
		e.data, who, e.after, pid, pid)
	if e.name != "" {
		text += "\nWhether " + e.name + " was done is not known: look before you run the command again"
	}
	return text
}

// alive asks the server for a sign of life, or returns [errNoServer] or [silent]. Any answer is one: older servers do not
// know what was asked.
func (d *socketDoor) alive(ctx context.Context) error {
	most := cmp.Or(d.patience.most, aliveWithin)
	asking, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	request, err := http.NewRequestWithContext(asking, http.MethodGet, "http://control/v1/alive", http.NoBody)
	if err != nil {
		return err
	}
	response, err := d.client.Do(request)
	switch {
	case err == nil:
		return response.Body.Close()
	case ctx.Err() != nil:
		return ctx.Err()
	case asking.Err() != nil:
		return silent{data: d.data, pid: holderOf(d.data).pid, after: most}
	case errors.Is(err, errNoServer):
		return err
	}
	return noAnswer(err)
}

// watch gives an operation up when the server gives no sign of life any more. It ends with ctx.
func (d *socketDoor) watch(ctx context.Context, name string, giveUp context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(cmp.Or(d.patience.every, askEvery)):
		}
		if dead, ok := errors.AsType[silent](d.alive(ctx)); ok {
			dead.name = name
			giveUp(dead)
			return
		}
	}
}

func noAnswer(err error) error {
	return fmt.Errorf("the server does not answer on its control socket: %w", errors.Unwrap(err))
}
