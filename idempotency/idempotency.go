// Package idempotency carries out a request that was sent twice once, and answers it twice: a payment whose answer got
// lost on the way, a button that was pressed again.
//
//	keys, err := idempotency.New(db, idempotency.Options{})
//	…
//	mux.Handle("POST /transfers", keys.Handler(transfers))
//
// The client makes up a key for each thing that it wants done, and sends it again with each try, as
// draft-ietf-httpapi-idempotency-key-header has it:
//
//	Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"
//
// The table of [Schema] lies in your own database, SQLite or PostgreSQL. Put the Handler behind whatever decides who may
// call the route, and in front of whatever reads the body. Behind ringwall's Protect who calls is known; elsewhere
// set [Options.Who].
//
// # What is answered
//
//	the first request         what your handler answers, and Idempotency-Expires: until when the key is kept
//	the same again            the stored answer: same status, body and content type, and Idempotency-Replayed: true
//	while the first one runs  409 idempotency-key-in-flight
//	another request           422 idempotency-key-reused
//	no key                    400 idempotency-key-missing
//	a key in another form     400 idempotency-key-malformed
//	nobody is signed in       401
//	no database               503, and nothing was done
//
// GET, HEAD, OPTIONS and TRACE change nothing and pass. A key is a String of RFC 9651: in double quotes, without
// parameters, on one line; 16 to 128 characters, because it must be hard to guess. A UUID without quotes is refused.
//
// The same request is one of the same user with the same method, host, target with its query, content type and body, byte
// for byte. The keys of two users are two keys, whatever they look like.
//
// # What is stored
//
// An answer with a status from 200 to 499, be it good or bad; for 24 hours, unless [Options.Life] says otherwise. After
// that the key is new. Four kinds of answer are not, and the same key may try again:
//
//   - 401, 403, 408, 425 and 429 tell who may or when, not what became of the request;
//   - 500 and above, and a panic;
//   - none, because the process has died: after twice [Options.Timeout];
//   - one of more than [Options.MaxAnswerBytes]: it is sent as it comes, and whoever tries again is told that the
//     request was carried out and its answer is gone (409 idempotency-answer-gone).
//
// Stored are the status, the body, and of the headers those that say what the body is, who may keep it and where to go
// (Content-Type, Cache-Control, Location and their like). Set-Cookie is never stored. All of it is sealed under a key
// derived from the idempotency key, which is itself not stored: whoever reads the database learns neither the answers nor
// who sent what.
//
// # Exactly once
//
// Whatever a handler does before it fails, it may do again at the next try. So let it write in one transaction of the
// same database, and call [Once] in it: the effect and its record are then committed together or not at all, whatever
// dies when. A request that was cut off after its commit is answered 409 idempotency-answer-gone from then on.
//
// # What it does not catch
//
// Without [Once], a process that dies between the effect and the answer leaves a key that runs again after twice
// [Options.Timeout], as does a handler that ignores the end of its context for longer. What is done elsewhere, such as a
// mail or a call to another service, is not part of the transaction: give that service a key too. The clocks of several
// nodes must agree to within Options.Timeout. A client that makes a new key for each try gets each try done. Somebody
// signed in can make rows, which are deleted some minutes after their time: put a limit in front (package ratelimit).
package idempotency

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

const (
	defaultLife        = 24 * time.Hour
	defaultTimeout     = 30 * time.Second
	defaultAnswerBytes = 64 << 10
	leaseTimeouts      = 2               // how many timeouts a claim is kept, so that no handler outlives it
	patience           = 5 * time.Second // with the database
	purgeEvery         = 5 * time.Minute
	purgeAtOnce        = 10_000 // rows
)

// Header fields.
const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
	headerExpires  = "Idempotency-Expires"
)

// Options may be left empty.
type Options struct {
	// Life is how long a key and its answer are kept. Default: 24 hours.
	Life time.Duration

	// Timeout is how long a handler may run: its context ends then. A key whose process died is free after twice that.
	// Default: 30 seconds.
	Timeout time.Duration

	// MaxBodyBytes is the longest body of a request; a longer one is answered 413. Default: 64 KiB.
	MaxBodyBytes int64

	// MaxAnswerBytes is the longest body of an answer that is stored. Default: 64 KiB.
	MaxAnswerBytes int64

	// Field is the field of a form that holds the key, without quotes, where there is no header: for pages that work
	// without script. Put a new crypto/rand.Text into each page. Default: none.
	Field string

	// Who tells whose keys a request uses, such as a user's id; empty is answered 401. Default: the user of [session.From].
	Who func(*http.Request) string

	// Refuse answers what does not reach the handler. Default: as ringwall's Protect answers, and elsewhere [input.Refuse].
	Refuse func(http.ResponseWriter, *http.Request, error)

	Now func() time.Time // Default: time.Now
	Log *slog.Logger     // told when the database fails or lacks the table, which a 503 does not tell, or an answer came too late. Default: none
}

// Keys remembers requests and their answers. It is safe for concurrent use.
type Keys struct {
	db      *sqlsafe.DB
	options Options
	purged  atomic.Int64 // when keys were purged, in microseconds
}

// New makes Keys on a database that has the table of [Schema], and that the caller still closes. A negative option, or a
// Life of less than two Timeouts, is an error. It starts nothing.
func New(db *sqlsafe.DB, o Options) (*Keys, error) {
	if db == nil {
		return nil, errors.New("idempotency: no database")
	}
	if o.Life < 0 || o.Timeout < 0 || o.MaxBodyBytes < 0 || o.MaxAnswerBytes < 0 {
		return nil, errors.New("idempotency: Life, Timeout, MaxBodyBytes and MaxAnswerBytes cannot be negative")
	}
	if o.Life == 0 {
		o.Life = defaultLife
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Life < leaseTimeouts*o.Timeout {
		return nil, errors.New("idempotency: Life must be at least two Timeouts, or a key would end while it is used")
	}
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = input.MaxBodyBytes
	}
	if o.MaxAnswerBytes == 0 {
		o.MaxAnswerBytes = defaultAnswerBytes
	}
	if o.Who == nil {
		o.Who = signedIn
	}
	if o.Refuse == nil {
		o.Refuse = refuse
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keys{db: db, options: o}
	k.purged.Store(o.Now().UnixMicro())
	return k, nil
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if proof := session.ProofOf(r.Context()); proof.Refuse != nil {
		proof.Refuse(w, r, err)
		return
	}
	input.Refuse(w, r, err)
}

func signedIn(r *http.Request) string {
	if s, ok := session.From(r.Context()); ok {
		return s.UserID.String()
	}
	return ""
}

// Handler lets next carry out each request once. What it answers is held back until it is stored, so next cannot
// stream, and gets no connection to hijack.
func (k *Keys) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
			next.ServeHTTP(w, r)
			return
		}
		c, err := k.read(r)
		if err != nil {
			if problem.From(err).Kind == problem.Internal {
				k.options.Log.ErrorContext(r.Context(), "a request cannot be compared with others, and is refused", "error", err)
			}
			k.options.Refuse(w, r, err)
			return
		}
		stored, err := k.claim(r.Context(), &c)
		switch {
		case err != nil:
			k.options.Refuse(w, r, err)
		case stored != nil:
			stored.replay(w)
		default:
			k.run(w, r, next, c)
		}
	})
}

// read makes the claim of a request, and puts its body back for the handler.
func (k *Keys) read(r *http.Request) (claim, error) {
	who := k.options.Who(r)
	if who == "" {
		return claim{}, problem.New(problem.Unauthenticated, "unauthenticated", "Sign in first.")
	}
	body, err := readBody(r, k.options.MaxBodyBytes)
	if err != nil {
		return claim{}, err
	}
	var key string
	if lines := r.Header[headerKey]; len(lines) > 0 || k.options.Field == "" {
		key, err = parseKey(lines)
	} else {
		key, err = fieldKey(r, body, k.options.Field)
	}
	if err != nil {
		return claim{}, err
	}
	keys, err := secret.Derive(secret.NewText(key), "idempotency")
	if err != nil {
		return claim{}, err
	}
	return newClaim(keys, who, r, body), nil
}

// run lets the handler answer, and settles what becomes of the key.
func (k *Keys) run(w http.ResponseWriter, r *http.Request, next http.Handler, c claim) {
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), claimKey{}, c), k.options.Timeout)
	defer cancel()
	a := &answer{w: w, most: k.options.MaxAnswerBytes}
	returned := false
	defer func() {
		if !returned { // it panics, and goes on to
			k.release(r.Context(), c)
		}
	}()
	next.ServeHTTP(a, r.WithContext(ctx))
	returned = true
	if k.settle(r.Context(), c, a) {
		w.Header().Set(headerExpires, c.expires.UTC().Format(http.TimeFormat))
	}
	a.send()
	k.tidy(r.Context())
}
