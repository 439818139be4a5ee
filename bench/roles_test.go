package bench_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/api"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/password"
)

// play is a process of this package that was started to be a server. The first line of its input is its setting; it
// ends with its input.
func play(role string) error {
	in := bufio.NewReader(os.Stdin)
	setting, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	handlers := map[string]func([]byte) (http.Handler, error){
		"hello": hello, "mirror": mirrored, "library": library, "hashes": hashes, "node": node,
	}
	handler, err := handlers[role](setting)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("ready", listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(0)
	}()
	return http.Serve(listener, handler)
}

// hello is the least that a server in Go does for an answer: given bytes, and a given head beside the usual one.
func hello(setting []byte) (http.Handler, error) {
	var answer answer
	if err := json.Unmarshal(setting, &answer); err != nil {
		return nil, err
	}
	body := []byte(answer.Body)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, values := range answer.Head {
			h[name] = values
		}
		_, _ = w.Write(body)
	}), nil
}

type answer struct {
	Head map[string][]string
	Body string
}

// crowd is the setting of the role "mirror".
type crowd struct {
	Sessions, People int
	CacheBytes       int64 // zero: the default
	Body             string
}

// SessionByHash makes the session of any token of the load's making.
func (c crowd) SessionByHash(_ context.Context, hash sessions.Hash) (s sessions.Session, p sessions.Person, err error) {
	now := time.Now()
	s = sessions.Session{
		TokenHash: hash, CreatedMicros: now.UnixMicro(), LastSeenMicros: now.UnixMicro(), ExpiresMicros: now.Add(12 * time.Hour).UnixMicro(),
		IdleMicros: (30 * time.Minute).Microseconds(), FreshMicros: now.UnixMicro(),
	}
	copy(s.ID[:], hash[:])
	person := (int(hash[0])<<16 | int(hash[1])<<8 | int(hash[2])) % c.People
	s.User[0], s.User[1], s.User[2], s.User[15] = byte(person>>16), byte(person>>8), byte(person), 1
	return s, sessions.Person{ID: s.User, Email: fmt.Sprintf("person-%06d@example.org", person), DisplayName: "Somebody Else", Roles: []string{"member"}}, nil
}

func (crowd) TouchSessions(context.Context, []sessions.Touch) error { return nil }
func (crowd) OnInvalidate(func(sessions.Invalidation)) (exact bool) { return true }

// mirrored is the session engine with a warm mirror over a crowd: alone under /bare, and behind the chain elsewhere.
// At /memory it tells what a session takes of the heap.
func mirrored(setting []byte) (http.Handler, error) {
	var c crowd
	if err := json.Unmarshal(setting, &c); err != nil {
		return nil, err
	}
	before := heap()
	engine := sessions.New(c, sessions.Options{
		Idle: 30 * time.Minute, Absolute: 12 * time.Hour, RememberedIdle: time.Hour, Remembered: time.Hour, Fresh: 5 * time.Minute,
		Max: 20, CacheBytes: cmp.Or(c.CacheBytes, 256<<20), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	go engine.Run(context.Background())
	for i := range c.Sessions {
		if _, _, err := engine.Find(context.Background(), tokenOf(uint64(i))); err != nil {
			return nil, err
		}
	}
	taken := heap() - before
	whole, err := chained(engine)
	if err != nil {
		return nil, err
	}
	cookie, err := headers.NewCookie("__Host-ringwall", headers.CookieOptions{})
	if err != nil {
		return nil, err
	}
	body, kind := []byte(c.Body), []string{"application/json"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bare":
			token, err := cookie.Read(r)
			if err == nil {
				_, _, err = engine.Find(r.Context(), token)
			}
			if err != nil {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header()["Content-Type"] = kind
			_, _ = w.Write(body)
		case "/memory":
			_, _ = fmt.Fprint(w, taken)
		default:
			whole.ServeHTTP(w, r)
		}
	}), nil
}

// chained is the API behind the chain, as the library builds it, over an engine of ours.
func chained(engine *sessions.Manager) (http.Handler, error) {
	master, err := secret.ParseMasterKey(secret.NewText(masterKey))
	if err != nil {
		return nil, err
	}
	keys, err := secret.OpenKeyring(context.Background(), master, "bench", &keysInMemory{}, time.Now)
	if err != nil {
		return nil, err
	}
	c, err := chain.New(chain.Config{
		Sessions: engine, Keys: keys, Refusals: audit.NewRefusals(nil, audit.RefusalsOptions{Now: time.Now, Log: slog.New(slog.DiscardHandler)}),
		Origins: []string{"http://" + host}, Prefix: "/auth", Development: true, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	return c.Serve(api.New(nil, c).Routes()), nil
}

type keysInMemory []secret.Wrapped

func (k *keysInMemory) Keys(context.Context) ([]secret.Wrapped, error) { return *k, nil }

func (k *keysInMemory) InsertKey(_ context.Context, key secret.Wrapped) (bool, error) {
	*k = append(*k, key)
	return true, nil
}

// heap is what is in use after a collection, outside of what collections still sweep.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// library is Ringwall itself on a database that is there.
func library(setting []byte) (http.Handler, error) {
	var place place
	if err := json.Unmarshal(setting, &place); err != nil {
		return nil, err
	}
	options := place.options()
	rw, err := ringwall.New(context.Background(), options)
	if err != nil {
		return nil, err
	}
	return rw.Handler(), nil
}

// hashes is the password queue alone, kept busy for some seconds by some callers (none: as many as it has slots).
func hashes([]byte) (http.Handler, error) {
	queue, err := password.NewQueue(password.QueueOptions{})
	if err != nil {
		return nil, err
	}
	hasher, err := password.NewHasher(queue, password.DefaultParams())
	if err != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + queue.NicedThreads())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slots" {
			_, _ = fmt.Fprint(w, queue.Slots())
			return
		}
		during, err := time.ParseDuration(r.URL.Query().Get("during"))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		callers, err := strconv.Atoi(r.URL.Query().Get("callers"))
		if err != nil || callers == 0 {
			callers = queue.Slots()
		}
		perSecond, err := hashRate(r.Context(), hasher, callers, during)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprintf(w, "%.3f", perSecond)
	}), nil
}

func hashRate(ctx context.Context, hasher *password.Hasher, callers int, during time.Duration) (float64, error) {
	began := time.Now()
	type tally struct {
		done int
		err  error
	}
	ends := make(chan tally)
	for range callers {
		go func() {
			var t tally
			for t.err == nil && time.Since(began) < during {
				_, t.err = hasher.Hash(ctx, password.SignIn, false, passphrase)
				t.done++
			}
			ends <- t
		}()
	}
	done, errs := 0, []error(nil)
	for range callers {
		t := <-ends
		done += t.done
		errs = append(errs, t.err)
	}
	return float64(done) / time.Since(began).Seconds(), errors.Join(errs...)
}
