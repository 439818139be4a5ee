package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/settings"
)

// door is a way to operate: through a running server, or directly.
type door interface {
	operate(ctx context.Context, name string, input []byte) (output []byte, err error)
	close() error
}

// doorPatience is how long a command waits for a server that holds the folder but does not answer yet: it may be starting.
const doorPatience = 3 * time.Second

// call runs one operation of an operator, and reads what comes back into output.
func (a *app) call(ctx context.Context, flags settingFlags, name string, input, output any) error {
	d, err := a.openDoor(ctx, flags)
	if err != nil {
		return err
	}
	return errors.Join(ask(ctx, d, name, input, output), d.close())
}

// checkLimit refuses a --limit that no operation takes.
func checkLimit(n int) error {
	if n < 1 || n > 1000 {
		return misuse{errors.New("--limit must be 1 to 1000")}
	}
	return nil
}

func ask(ctx context.Context, d door, name string, input, output any) error {
	body, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	answer, err := d.operate(ctx, name, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, output); err != nil {
		return fmt.Errorf("%s: the answer cannot be read: %w", name, err)
	}
	return nil
}

// openDoor finds the server that holds the data folder. If there is none it takes the folder itself; a PostgreSQL
// database has many writers and needs no lock.
func (a *app) openDoor(ctx context.Context, flags settingFlags) (door, error) {
	v, faults := a.readSettings(flags)
	if faults = append(faults, checkDatabase(v)...); len(faults) > 0 {
		return nil, refused{"the command", faults}
	}
	for started := time.Now(); ; {
		d, err := openSocketDoor(ctx, v.Data, a.patience)
		if err == nil {
			if err := sameDatabase(v); err != nil {
				return nil, errors.Join(err, d.close())
			}
			return d, nil
		}
		if !errors.Is(err, errNoServer) {
			return nil, err
		}
		if !hasFolderLock(v) {
			return a.openDirectDoor(ctx, v, nil)
		}
		held, err := holdFolder(v)
		if err == nil {
			return a.openDirectDoor(ctx, v, held)
		}
		if errors.Is(err, errNoFolder) {
			return nil, fmt.Errorf("there is no data folder %s. Start `ringwall dev` or `ringwall serve` first, or name the folder with --data", v.Data)
		}
		if _, busy := errors.AsType[inUse](err); !busy || time.Since(started) > doorPatience {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// sameDatabase refuses to speak to a server about another database than the one that was named.
func sameDatabase(v *settings.Values) error {
	if source := v.Source("DATABASE"); source.Given() {
		if used, meant := holderOf(v.Data).database, placeOf(v.Database); used != "" && used != meant {
			return misuse{fmt.Errorf("%s names %s, but the server that holds %s uses %s. Name the data folder of the server that you mean with --data", source.From, meant, v.Data, used)}
		}
	}
	return nil
}

// directDoor operates with the library in this process.
type directDoor struct {
	rw       *ringwall.Ringwall
	held     *folder // nil: no lock was needed
	operator string
}

func (a *app) openDirectDoor(ctx context.Context, v *settings.Values, held *folder) (door, error) {
	options := optionsOf(v, peopleLog(a.err, slog.LevelWarn))
	if held != nil {
		asLastServer(&options, v, held.last())
	}
	rw, err := ringwall.New(ctx, options)
	if err != nil {
		if held != nil {
			held.release()
		}
		why := "the database cannot be opened directly"
		if _, ok := errors.AsType[*ringwall.OptionsError](err); ok {
			why = "without one a command needs the settings of `ringwall serve`"
		}
		return nil, fmt.Errorf("no server answers at %s, and %s: %w", v.Data, why, err)
	}
	return &directDoor{rw, held, userName(strconv.Itoa(os.Geteuid()))}, nil
}

// asLastServer takes over what a development server noted in the folder, so that commands need no settings where it needed none.
func asLastServer(o *ringwall.Options, v *settings.Values, last record) {
	if last.environment != developmentName || v.Source("ENVIRONMENT").Given() {
		return
	}
	forDevelopment(o)
	if !v.Source("ORIGINS").Given() {
		o.Origins = last.origins
	}
	if !v.Source("PREFIX").Given() {
		o.Prefix = last.prefix
	}
}

func (d *directDoor) operate(ctx context.Context, name string, input []byte) ([]byte, error) {
	return d.rw.Operate(ctx, d.operator, name, input)
}

func (d *directDoor) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := d.rw.Close(ctx)
	if d.held != nil {
		d.held.release()
	}
	return err
}
