// Command lab is the invoices with a switch for each layer and a button for each attack, to see what each layer is there for.
//
//	go run ./examples/invoices/cmd/lab
//
// It is unsafe on purpose: with layers off the application does what the attacks want. It listens on this machine alone and
// refuses any other address, and pages of the web that are open in the same browser; it makes its people and its databases anew at each start, and nothing of it is left at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/ringwall/ringwall/examples/invoices/wall"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8090", "where the lab listens, on this machine; the application and the attacker's site get the two ports after it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, *addr)
	if errors.Is(err, errNotLoopback) {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

var errNotLoopback = errors.New("the lab is unsafe on purpose and listens on 127.0.0.1 alone")

// addresses are those of the lab, the application and the attacker's site. With port 0 the system chooses all three.
func addresses(addr string) (list [3]string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return list, fmt.Errorf("%q is no address with a port. Write it as 127.0.0.1:8090", addr)
	}
	if host != "127.0.0.1" {
		return list, errNotLoopback
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65533 {
		return list, errors.New("the port must be a number up to 65533")
	}
	for i := range list {
		if list[i] = net.JoinHostPort(host, strconv.Itoa(n+i)); n == 0 {
			list[i] = addr
		}
	}
	return list, nil
}

func run(ctx context.Context, addr string) (err error) {
	lab, err := open(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.close()) }()
	fmt.Printf(`The lab: an application that is unsafe on purpose, on this machine alone.

    the lab           %s
    the application   %s
    Mallory’s site    %s

End it with Ctrl-C; nothing is left of it.
`, lab.origin, lab.world.App, lab.world.Evil)
	select {
	case <-ctx.Done():
		return nil
	case err := <-lab.failed:
		return err
	}
}

// running is a lab that serves.
type running struct {
	*lab
	folder  string
	servers []*http.Server
	failed  chan error
}

func open(ctx context.Context, addr string) (_ *running, err error) {
	at, err := addresses(addr)
	if err != nil {
		return nil, err
	}
	r := &running{failed: make(chan error, len(at))}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	var listeners [3]net.Listener
	for i := range at {
		if listeners[i], err = net.Listen("tcp", at[i]); errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s is taken by another process. Stop it, or choose three other ports with -addr 127.0.0.1:9000", at[i])
		} else if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				_ = listeners[i].Close()
			}
		}()
	}
	if r.folder, err = os.MkdirTemp("", "ringwall-lab-"); err != nil {
		return nil, err
	}
	// By another name the attacker's site is another site to a browser, though it is the same machine.
	_, port, err := net.SplitHostPort(listeners[2].Addr().String())
	if err != nil {
		return nil, err
	}
	world, err := wall.New(ctx, wall.Config{
		App: "http://" + listeners[1].Addr().String(), Evil: "http://localhost:" + port, Dir: r.folder, Client: &http.Transport{DisableKeepAlives: true},
	})
	if err != nil {
		return nil, err
	}
	if r.lab, err = newLab(world, "http://"+listeners[0].Addr().String()); err != nil {
		return nil, errors.Join(err, world.Close(ctx))
	}
	for i, h := range []http.Handler{r.lab, fence(world, r.origin, world.App, world.Evil), world.Elsewhere()} {
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
		r.servers = append(r.servers, server)
		go func() {
			if err := server.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				r.failed <- err
			}
		}()
	}
	return r, nil
}

func (r *running) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for _, s := range r.servers {
		errs = append(errs, s.Close())
	}
	if r.lab != nil {
		errs = append(errs, r.world.Close(ctx))
	}
	if r.folder != "" {
		errs = append(errs, os.RemoveAll(r.folder))
	}
	return errors.Join(errs...)
}
