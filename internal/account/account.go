// Package account holds the rules of people: how an address becomes an account, how its owner signs in, changes and
// recovers the password, sees and ends sign-ins, and what an operator may do. It knows no HTTP and no SQL.
//
// Every method takes the [identity.Actor] who asks. Every change is one [Store.Change]: the rows, the mail and the
// audit event together, or nothing. What a stranger asks for answers alike whether an account exists or not, does the
// same work, and counts against the same limits.
//
// The order of every proof is the same: count the try, pass the ceiling, read, hash, compare, change. Counting comes first, so parallel
// tries cannot pass the limit, and before hashing, so that it also bounds the work.
package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/metadata"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/watch"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/ratelimit"
)

// Lifetimes of what is mailed (D18, D22, C052) and of the known device (D02).
const (
	signupLife  = 24 * time.Hour
	codeLife    = 10 * time.Minute
	codeTries   = 5
	resetLife   = time.Hour
	welcomeLife = 24 * time.Hour
	deviceLife  = 400 * 24 * time.Hour
)

// Config is what a Service needs; every field is required, but for what says otherwise.
type Config struct {
	Store     Store
	Keys      *secret.Keyring
	Hasher    *password.Hasher
	Policy    password.Policy
	Breaches  Breaches // nil: no breach check
	Engine    *sessions.Manager
	Refusals  *audit.Refusals
	Archive   *audit.Archive
	Attempts  AttemptPolicy // D05, D25; zero: nobody's tries are counted
	Mails     int           // that strangers may cause in a minute, the second half behind a challenge; negative: any number
	Alerts    *alerts.Alerts
	Signup    SignupPolicy
	Addresses *limits.Addresses
	API       *ratelimit.Limiter // what one person may ask of the API; nil: anything
	Ceiling   *ceiling.Ceiling
	Watch     *watch.Watch // learns how sign-ins end; may be nil
	Blocks    *limits.Blocks
	Lifecycle *lifecycle.Lifecycle
	Metadata  *metadata.Schemas
	Origin    string // the canonical origin, for links
	Prefix    string
	Name      string // of the service, for mails and the password rules
	Now       func() time.Time
	Log       *slog.Logger

	Challenger    challenge.Challenger // of what mails ask for; the ceiling has its own
	DeletionDelay time.Duration        // between asking for a deletion and its being done
}

// Service is the rules of people. It is safe for concurrent use.
type Service struct {
	Config
	known    sync.Map // people with a sign-in from a known device under way
	breaches breachLog
}

// New makes a Service.
func New(c Config) *Service { return &Service{Config: c} }

// What callers are told. One text for every reason a sign-in can fail (D17).
var (
	errLogin    = problem.New(problem.Unauthenticated, "login-failed", "Wrong address or password, or the address is not confirmed yet.")
	errLink     = problem.New(problem.Invalid, "link-invalid", "This link or code does not work any more. Ask for a new one.")
	errPassword = problem.New(problem.Forbidden, "password-required", "Enter the password that was chosen at sign-up.")
	errWrong    = problem.New(problem.Unauthenticated, "login-failed", "The password is wrong.")
	errUnchosen = problem.New(problem.Unauthenticated, "login-failed", "That is not the password that was chosen at sign-up.")
	errNotFound = problem.New(problem.Missing, "not-found", "There is nothing here that you may see.")
	errSignIn   = problem.New(problem.Unauthenticated, "unauthenticated", "Sign in first.")
)

// errTried marks the refusals of a counter of the account's own.
var errTried = errors.New("the tries of this account are used up")

// Pending is what a page may say about the holder of a link.
type Pending struct {
	Email         string
	NeedsPassword bool
}

// network is where a request comes from, as far as limits tell places apart.
func network(by identity.Actor) string {
	if address := by.Request().Address; address.IsValid() {
		return input.Network(address).String()
	}
	return ""
}

// giveBack takes a try back that was not made, or that was right. Whoever hung up meanwhile gets it back too.
func (s *Service) giveBack(ctx context.Context, try tryOf) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.Store.GiveBack(ctx, try.key, s.Now().UnixMicro()); err != nil {
		s.Log.WarnContext(ctx, "a try that was not made stays counted", "error", err)
	}
}

// abandon undoes a try that was admitted and cannot be made.
func (s *Service) abandon(ctx context.Context, try tryOf) {
	try.place.Return()
	s.giveBack(ctx, try)
}

// beat is what the time of an answer about mail is rounded up to: far more than a row and a mail take.
const beat = 50 * time.Millisecond

// evenly holds an answer until the next beat since its request began, so that the work of a mail that is sent does not
// show in the time of the answer. Where a password is hashed, that hides it already.
func evenly(ctx context.Context) (hold func()) {
	began := time.Now()
	return func() {
		timer := time.NewTimer(beat - time.Since(began)%beat)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// coarse is how long to wait, in whole minutes, so that it tells little about the counter (C105).
func (s *Service) coarse(attempt Attempt) time.Duration {
	return wholeMinutes(time.UnixMicro(attempt.RetryMicros).Sub(s.Now()))
}

// hashing turns the errors of the hash queue into what callers are told.
func hashing(err error) error {
	if busy, ok := errors.AsType[*password.Busy](err); ok {
		return problem.New(problem.Unavailable, "busy", "Many people are signing in right now. Try again in a moment.").After(busy.RetryAfter)
	}
	if errors.Is(err, password.ErrClosed) {
		return problem.New(problem.Unavailable, "unavailable", "The service is about to stop. Try again in a moment.").After(2 * time.Second).Because(err)
	}
	return err
}

// watchSignIn tells the watch how a sign-in ended: of the account a MAC alone, the same work whether there is one. What ended
// for another reason, such as a full queue, says nothing about a password.
func (s *Service) watchSignIn(ctx context.Context, by identity.Actor, key string, err error) {
	outcome := watch.Succeeded
	if err != nil {
		switch problem.From(err).Code {
		case "login-failed":
			outcome = watch.Failed
		default:
			if !errors.Is(err, errTried) {
				return
			}
			outcome = watch.Refused
		}
	}
	s.Watch.SignIn(ctx, by.Request().Address, s.Keys.MAC(secret.Attempts, []byte("watch"), []byte(key)), outcome)
}

// checkPassword holds a new password against the rules.
func (s *Service) checkPassword(chosen string, about ...string) error {
	err := s.Policy.Check(chosen, append(about, s.Name)...)
	if weak, ok := errors.AsType[*password.Weak](err); ok {
		return problem.New(problem.Invalid, "password-weak", weak.Detail).
			With(problem.Field{Name: "password", Code: weak.Code, Detail: weak.Detail})
	}
	return err
}

// canonical is the key of an address. What is no address has a key too, so that it is counted and refused like an unknown one.
func canonical(typed string) (key string) {
	if address, err := input.ParseEmail(typed); err == nil {
		return address.Key()
	}
	return "!" + strings.ToLower(typed[:min(len(typed), 254)])
}

// readPerson reads an address and a name as somebody typed them, and names the field that is wrong.
func readPerson(typedAddress, typedName string) (address input.Email, name string, err error) {
	address, err = input.ParseEmail(typedAddress)
	if err != nil {
		return address, "", wrongField("email", err)
	}
	parsed, err := input.ParseDisplayName(typedName)
	if err != nil {
		return address, "", wrongField("display_name", err)
	}
	return address, string(parsed), nil
}

func wrongField(field string, err error) error {
	fault, ok := errors.AsType[*input.Fault](err)
	if !ok {
		return err
	}
	return problem.New(problem.Invalid, "invalid", fault.Detail).With(problem.Field{Name: field, Code: fault.Code, Detail: fault.Detail})
}

// link is an address of ours with a token, under the canonical origin and never the request's.
func (s *Service) link(page, token string) string {
	return s.Origin + s.Prefix + "/" + page + "?token=" + url.QueryEscape(token)
}

// mailData is what every mail tells of the request that caused it.
func (s *Service) mailData(by identity.Actor, to, name string) mail.Data {
	from := by.Request()
	d := mail.Data{To: to, DisplayName: name, Origin: s.Origin, Service: s.Name, When: s.Now()}
	if from.UserAgent != "" {
		d.Device = sessions.DeviceLabel(from.UserAgent)
	}
	if from.Address.IsValid() {
		d.Address = from.Address.String()
	}
	return d
}

func (s *Service) mac(purpose secret.Purpose, text string) []byte {
	return s.Keys.MAC(purpose, []byte(text))
}

// newToken is 32 random bytes for a link or a cookie.
func newToken() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: the process ends instead (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

const codeAlphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" // 32 letters: no I, O, 0, 1

// newCode is eight characters of 32: forty bits.
func newCode() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:])
	for i, b := range raw {
		raw[i] = codeAlphabet[b%32]
	}
	return string(raw[:])
}

// readCode undoes how people type a code: in lower case, grouped by spaces or hyphens.
func readCode(typed string) string {
	return strings.NewReplacer(" ", "", "-", "").Replace(strings.ToUpper(typed))
}

// The known device (D05): a random id, signed, so that nobody can present one that was not made here.

func (s *Service) deviceCookie(id identity.ID) secret.Text {
	return secret.NewText(hex.EncodeToString(id[:]) + "." + hex.EncodeToString(s.Keys.MAC(secret.Devices, id[:])))
}

// device reads the cookie, or makes a new device if there is none or it was tampered with.
func (s *Service) device(cookie string) identity.ID {
	device, _ := s.signedDevice(cookie)
	return device
}

// signedDevice is device, and whether the cookie was signed here.
func (s *Service) signedDevice(cookie string) (device identity.ID, signed bool) {
	id, mac, ok := strings.Cut(cookie, ".")
	if raw, err := hex.DecodeString(id); ok && err == nil && len(raw) == 16 {
		if sent, err := hex.DecodeString(mac); err == nil && hmac.Equal(sent, s.Keys.MAC(secret.Devices, raw)) {
			return identity.ID(raw), true
		}
	}
	return identity.NewRandomID(), false
}

func (s *Service) sealPassword(row identity.ID, phc string) []byte {
	return s.Keys.Seal(secret.Passwords, row.String(), []byte(phc))
}

func (s *Service) openPassword(ctx context.Context, by identity.Actor, row identity.ID, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil // made by an operator, no password chosen yet
	}
	phc, err := s.Keys.Open(secret.Passwords, row.String(), sealed)
	if err != nil {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.CryptDecryptFail, User: row, Reason: "password"})
	}
	return string(phc), err
}

// verify checks a password in the queue. An empty phc costs the same and is never right. A try that the queue did not
// take was none.
func (s *Service) verify(ctx context.Context, try tryOf, known bool, phc, typed string) (ok, rehash bool, err error) {
	if phc == "" {
		err = s.Hasher.VerifyNobody(ctx, password.SignIn, known, typed)
	} else {
		ok, rehash, err = s.Hasher.Verify(ctx, password.SignIn, known, phc, typed)
	}
	if err != nil {
		try.place.Return()
		s.giveBack(ctx, try)
	}
	return ok, rehash, hashing(err)
}
