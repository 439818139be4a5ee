package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/settings"
)

// How long a client may take, and how long the end may.
const (
	readHeaderTimeout = 5 * time.Second // of who watches; for everybody else ringwall.Server says
	idleTimeout       = 120 * time.Second
	drainTimeout      = 20 * time.Second
	closeTimeout      = 10 * time.Second
)

// site is a running server: the data folder, the library, the listeners.
type site struct {
	values   *settings.Values
	options  ringwall.Options
	log      *slog.Logger
	tls      *tls.Certificate        // nil: plain HTTP
	onlyFrom []netip.Prefix          // if there are any, nobody else may connect
	origins  func(net.Addr) []string // nil: those of the options
	ready    func(net.Addr)

	folder   *folder
	public   net.Listener
	ops      net.Listener // nil: none
	control  net.Listener
	rw       *ringwall.Ringwall
	draining atomic.Bool
}

// run opens everything, serves until ctx ends or a listener breaks, and closes everything.
func (s *site) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	servers, failed := s.start()
	s.ready(s.public.Addr())
	debug.FreeOSMemory() // what only the start needed
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "reason", "signal")
	case err = <-failed:
		s.log.Error("stopping", "reason", "a listener broke", "error", err)
	}
	return errors.Join(err, s.drain(servers))
}

// open takes the folder first, so that a second process changes nothing, and then the ports, so that a taken port is told before any work.
func (s *site) open(ctx context.Context) (err error) {
	if err := makeFolder(s.values.Data); err != nil {
		return err
	}
	if s.folder, err = holdFolder(s.values); err != nil {
		return err
	}
	if s.public, err = listen(ctx, s.values.Addr, "addr"); err != nil {
		return err
	}
	if !s.options.Development {
		if s.ops, err = listen(ctx, s.values.OpsAddr, "ops-addr"); err != nil {
			return err
		}
	}
	if s.origins != nil {
		s.options.Origins = s.origins(s.public.Addr())
	}
	if s.rw, err = ringwall.New(ctx, s.options); err != nil {
		return err
	}
	// Hashing has threads of its own at a lower priority; requests keep theirs.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + s.rw.NicedThreads())
	held := s.folder.last()
	held.environment, held.prefix, held.origins = s.options.Environment, s.options.Prefix, s.options.Origins
	held.database = placeOf(databaseOf(s.values))
	if err := s.folder.note(held); err != nil {
		return err
	}
	s.control, err = listenSocket(s.folder.path)
	return err
}

type server struct {
	*http.Server
	listener net.Listener
}

func (s server) serve() error {
	if s.TLSConfig != nil && len(s.TLSConfig.Certificates) > 0 {
		return s.ServeTLS(s.listener, "", "") // the certificate stands in the configuration
	}
	return s.Serve(s.listener)
}

// start serves on each listener; the channel tells if one breaks.
func (s *site) start() ([]server, <-chan error) {
	servers := []server{{s.publicServer(), s.public}, {controlServer(s.rw.Operate, s.log), s.control}}
	if s.ops != nil {
		servers = append(servers, server{s.opsServer(), s.ops})
	}
	failed := make(chan error, len(servers))
	for _, each := range servers {
		go func() {
			if err := each.serve(); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("listener %s: %w", each.listener.Addr(), err)
			}
		}()
	}
	return servers, failed
}

func (s *site) publicServer() *http.Server {
	server := ringwall.Server(s.handler())
	server.ErrorLog = serverErrors(s.log)
	if s.tls != nil {
		server.TLSConfig.Certificates = []tls.Certificate{*s.tls}
	}
	if len(s.onlyFrom) > 0 {
		server.ConnContext = s.markStranger
	}
	return server
}

type strangerKey struct{}

// markStranger notes once a connection that its other end is none of the proxies.
func (s *site) markStranger(ctx context.Context, conn net.Conn) context.Context {
	peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	for _, network := range s.onlyFrom {
		if err == nil && network.Contains(peer.Addr().Unmap()) {
			return ctx
		}
	}
	return context.WithValue(ctx, strangerKey{}, true)
}

// rootPattern is the one route of the program itself.
const rootPattern = "GET /{$}"

// handler is the library's, and at the root a way to it. There is no mux here: it would mend paths which the library refuses.
func (s *site) handler() http.Handler {
	ours := s.rw.Handler()
	root := authz.NewMux()
	root.Handle(rootPattern, authz.Public(), http.RedirectHandler(s.options.Prefix+"/", http.StatusSeeOther))
	home := s.rw.Protect(root)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case len(s.onlyFrom) > 0 && r.Context().Value(strangerKey{}) != nil:
			problem.Write(w, s.options.Prefix, "", problem.New(problem.Forbidden, "forbidden", "Plain HTTP is for the proxy in front alone. Come by https."))
		case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			home.ServeHTTP(w, r)
		case r.URL.EscapedPath() == s.options.Prefix && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			r = r.Clone(r.Context()) // people leave out the slash
			r.URL.Path = "/"
			home.ServeHTTP(w, r)
		default:
			ours.ServeHTTP(w, r)
		}
	})
}

// drain stops accepting, lets requests finish, and ends the rest.
func (s *site) drain(servers []server) error {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	var all sync.WaitGroup
	late := make(chan error, len(servers))
	for i, each := range servers {
		if each.listener == s.ops {
			continue // it tells that we are not ready, to the last
		}
		all.Go(func() {
			if err := each.Shutdown(ctx); err != nil {
				late <- errors.Join(fmt.Errorf("requests were cut off after %s", drainTimeout), each.Close())
				s.log.Warn("requests were cut off", "listener", i, "error", err)
			}
		})
	}
	all.Wait()
	close(late)
	var errs []error
	for err := range late {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// close gives back what open took, in the opposite order.
func (s *site) close() error {
	var errs []error
	if s.rw != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		errs = append(errs, s.rw.Close(ctx))
	}
	for _, listener := range []net.Listener{s.control, s.ops, s.public} {
		if listener == nil {
			continue
		}
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.folder != nil {
		s.folder.release()
	}
	err := errors.Join(errs...)
	if s.rw != nil {
		s.log.Info("stopped", "clean", err == nil)
	}
	return err
}
