package bench_test

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/password"
)

const masterKey = "8f1d6a0c5be24793a8c1f0e7d2b3946512c7e8a90f3b5d64718293a4b5c6d7e8"

// tokenOf is the token of the n-th session.
func tokenOf(n uint64) string {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], n)
	sum := sha512.Sum512(number[:])
	return hex.EncodeToString(sum[:])
}

func addressOf(person int) string { return fmt.Sprintf("person-%06d@example.org", person) }

// place is where a database lies and what opens it.
type place struct {
	Database  string
	MasterKey string // empty: the file beside the database
	Origin    string
	Cheap     bool // passwords are hashed at the lowest cost
}

func (p place) cost() password.Params {
	if p.Cheap {
		return cheapest
	}
	return password.DefaultParams()
}

// addressNumber spreads numbers over networks, so that no two of fewer than 65,536 share a /24.
func addressNumber(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(20 + n%64), byte(n / 64 % 256), byte(n / 64 / 256), byte(7 + n%199)})
}

func (p place) options() ringwall.Options {
	// Everybody signs in at once here, and the queue is what is measured: address limits and ceiling would turn them away.
	o := ringwall.Options{Database: p.Database, Origins: []string{p.Origin}, Development: true, NoLimitAddress: true, LimitGlobal: -1, LimitMails: -1, Argon2id: p.cost(), Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if p.MasterKey != "" {
		o.MasterKey = secret.NewText(p.MasterKey)
	}
	return o
}

// cheapest is the cost of a hash where hashing is not what is measured.
var cheapest = password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1}

// settle puts people into an empty place, each signed in on as many devices. Everybody's password is the passphrase,
// hashed at the place's cost. The n-th session's token is that of tokenOf.
func settle(tb testing.TB, at place, people, devices int) {
	tb.Helper()
	ctx := tb.Context()
	rw, err := ringwall.New(ctx, at.options()) // makes tables and keys
	if err != nil {
		tb.Fatal(err)
	}
	if err := rw.Close(ctx); err != nil {
		tb.Fatal(err)
	}
	phc, err := password.Hash(passphrase, at.cost())
	if err != nil {
		tb.Fatal(err)
	}
	store, err := sqlstore.Open(ctx, sqlstore.Config{Database: at.Database})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	}()
	keys, err := secret.OpenKeyring(ctx, master(tb, at), "development", store, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	store.UseKeyring(keys)
	const atOnce = 250
	for from := 0; from < people; from += atOnce {
		err := store.Change(ctx, identity.NewSystem("bench"), func(ctx context.Context, tx account.Tx) (audit.Event, error) {
			for person := from; person < min(from+atOnce, people); person++ {
				if err := settleOne(ctx, tx, keys, person, phc, devices); err != nil {
					return audit.Event{}, err
				}
			}
			return audit.Event{Name: audit.UserCreated, Reason: "bench"}, nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func settleOne(ctx context.Context, tx account.Tx, keys *secret.Keyring, person int, phc string, devices int) error {
	now := time.Now()
	id := identity.NewRandomID()
	err := tx.InsertUser(ctx, account.User{
		ID: id, Email: addressOf(person), EmailCanonical: addressOf(person), DisplayName: "Ada Lovelace", CreatedMicros: now.UnixMicro(),
		Password: keys.Seal(secret.Passwords, id.String(), []byte(phc)), PasswordChangedMicros: now.UnixMicro(),
	})
	for i := 0; i < devices && err == nil; i++ {
		token := tokenOf(uint64(person*devices + i))
		err = tx.InsertSession(ctx, sessions.Session{
			ID: identity.NewRandomID(), User: id, Device: identity.NewRandomID(), TokenHash: sha256.Sum256([]byte(token)),
			CreatedMicros: now.UnixMicro(), LastSeenMicros: now.UnixMicro(), ExpiresMicros: now.Add(12 * time.Hour).UnixMicro(),
			IdleMicros: (12 * time.Hour).Microseconds(), FreshMicros: now.UnixMicro(), Address: "127.0.0.1", UserAgent: browser,
		})
	}
	return err
}

func master(tb testing.TB, at place) secret.MasterKey {
	tb.Helper()
	key, err := secret.ParseMasterKey(secret.NewText(at.MasterKey))
	if at.MasterKey == "" {
		key, err = secret.ReadMasterKey(filepath.Join(filepath.Dir(strings.TrimPrefix(at.Database, "sqlite:")), "master.key"))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// dataFolder is a settled folder for the binary.
func dataFolder(tb testing.TB, people, devices int) string {
	tb.Helper()
	folder := filepath.Join(tb.TempDir(), "data")
	if err := os.Mkdir(folder, 0o700); err != nil {
		tb.Fatal(err)
	}
	settle(tb, place{Database: "sqlite:" + filepath.Join(folder, "ringwall.db"), Origin: "http://127.0.0.1"}, people, devices)
	return folder
}

// host is what the load calls the servers whose origin can be chosen.
const host = "bench.example"

// checks asks who is signed in, as one of many sessions after the other, in an order that no cache of the processor likes.
func checks(path, host string, sessions uint64) requests {
	head := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: " + browser + "\r\nAccept: application/json\r\n" +
		"Accept-Language: en-GB,en;q=0.8,de;q=0.5\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nCookie: __Host-ringwall="
	const stride = 7919 // a prime, so that every session has its turn
	return func(n uint64, buf []byte) []byte {
		buf = append(buf, head...)
		buf = append(buf, tokenOf(n*stride%sessions)...)
		return append(buf, "\r\n\r\n"...)
	}
}
