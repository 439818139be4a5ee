package challenge_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// maker is a Work on a database, whose clock the test sets.
type maker struct {
	challenge.Work
	now   atomic.Int64 // seconds
	store *sqlstore.Store
}

const began = 1_795_000_000

func newMaker(t *testing.T, db testdb.DB) *maker {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: db.DSN})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	master, err := secret.ParseMasterKey(secret.NewText("5b1f0a9be7c2d4863f7799aa10e4c3d85612f0be9d3c4a7788e1b2c3d4f5a697"))
	if err != nil {
		t.Fatal(err)
	}
	m := &maker{store: store}
	m.now.Store(began)
	now := func() time.Time { return time.Unix(m.now.Load(), 0) }
	keys, err := secret.OpenKeyring(t.Context(), master, "test", store, now)
	if err != nil {
		t.Fatal(err)
	}
	m.Work = challenge.NewWork(challenge.WorkOptions{Keys: keys, Store: store, Now: now})
	return m
}

var asked = challenge.Asked{Form: challenge.Login, Client: netip.MustParseAddr("203.0.113.7")}

func (m *maker) puzzle(t *testing.T, asked challenge.Asked) challenge.Puzzle {
	t.Helper()
	made, err := m.Challenge(asked)
	if err != nil {
		t.Fatal(err)
	}
	return made.(challenge.Puzzle)
}

// solve finds the number as any client would.
func solve(t *testing.T, p challenge.Puzzle) int64 {
	t.Helper()
	for n := range p.MaxNumber + 1 {
		if sum := sha256.Sum256([]byte(p.Salt + strconv.FormatInt(n, 10))); hex.EncodeToString(sum[:]) == p.Challenge {
			return n
		}
	}
	t.Fatalf("no number up to %d solves %+v", p.MaxNumber, p)
	return 0
}

func payload(t *testing.T, p challenge.Puzzle, number any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"algorithm": p.Algorithm, "challenge": p.Challenge, "number": number, "salt": p.Salt, "signature": p.Signature, "took": 12})
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

func TestASolutionIsTakenWhereItBelongs(t *testing.T) {
	m := newMaker(t, testdb.SQLite(t))
	p := m.puzzle(t, asked)
	number := solve(t, p)
	right := payload(t, p, number)
	forge := func(change func(*challenge.Puzzle)) string {
		forged := p
		change(&forged)
		return payload(t, forged, number)
	}
	digits := strconv.FormatInt(number, 10)
	// The trick of moving digits from the number into the salt leaves the hash as it was.
	spliced := p
	spliced.Salt += digits[:1]
	rest, _ := strconv.ParseInt("0"+digits[1:], 10, 64)
	other := asked
	other.Form = challenge.SignUp
	elsewhere, neighbour, nowhere := asked, asked, asked
	elsewhere.Client, neighbour.Client, nowhere.Client = netip.MustParseAddr("203.0.112.7"), netip.MustParseAddr("203.0.113.200"), netip.Addr{}
	for _, tt := range []struct {
		name  string
		asked challenge.Asked
		text  string
		want  bool
	}{
		{"the right one", asked, right, true},
		{"from another address of the network", neighbour, right, true},
		{"for another form", other, right, false},
		{"from another network", elsewhere, right, false},
		{"from nowhere", nowhere, right, false},
		{"another number", asked, payload(t, p, number+1), false},
		{"a number below zero", asked, payload(t, p, -1), false},
		{"a number that is a text", asked, payload(t, p, digits), false},
		{"a number with a fraction", asked, payload(t, p, float64(number)+0.5), false},
		{"digits moved into the salt", asked, payload(t, spliced, rest), false},
		{"a salt that expires later", asked, forge(func(p *challenge.Puzzle) { p.Salt = strings.Replace(p.Salt, "expires=1", "expires=2", 1) }), false},
		{"an extended salt", asked, forge(func(p *challenge.Puzzle) { p.Salt += "expires=9999999999&" }), false},
		{"a raised most number", asked, forge(func(p *challenge.Puzzle) { p.Salt = strings.Replace(p.Salt, "max=", "max=9", 1) }), false},
		{"another algorithm", asked, forge(func(p *challenge.Puzzle) { p.Algorithm = "SHA-1" }), false},
		{"a forged signature", asked, forge(func(p *challenge.Puzzle) { p.Signature = strings.Repeat("00", 32) }), false},
		{"a cut signature", asked, forge(func(p *challenge.Puzzle) { p.Signature = p.Signature[:62] }), false},
		{"no signature", asked, forge(func(p *challenge.Puzzle) { p.Signature = "" }), false},
		{"a challenge of one's own", asked, func() string {
			own := p
			sum := sha256.Sum256([]byte(p.Salt + "0"))
			own.Challenge = hex.EncodeToString(sum[:])
			return payload(t, own, 0)
		}(), false},
		{"nothing", asked, "", false},
		{"no base64", asked, "%%%", false},
		{"no JSON", asked, base64.StdEncoding.EncodeToString([]byte("{")), false},
		{"null", asked, base64.StdEncoding.EncodeToString([]byte("null")), false},
		{"a list", asked, base64.StdEncoding.EncodeToString([]byte("[]")), false},
		{"too much", asked, strings.Repeat("A", 100_000), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := m.Check(tt.asked, tt.text); got != tt.want {
				t.Errorf("Check = %v, want %v", got, tt.want)
			}
			if fresh, err := m.Redeem(t.Context(), tt.asked, tt.text); !tt.want && fresh || err != nil {
				t.Errorf("Redeem = %v, %v", fresh, err)
			}
		})
	}
}

func TestASolutionIsTakenInTime(t *testing.T) {
	m := newMaker(t, testdb.SQLite(t))
	p := m.puzzle(t, asked)
	text := payload(t, p, solve(t, p))
	for _, tt := range []struct {
		name  string
		later int64
		want  bool
	}{
		{"at once", 0, true},
		{"a second before it is over", 299, true},
		{"at its end", 300, false},
		{"a day later", 86400, false},
		{"by a node whose clock is half a minute behind", -30, true},
		{"after the clock was set back an hour", -3600, false},
	} {
		m.now.Store(began + tt.later)
		if got := m.Check(asked, text); got != tt.want {
			t.Errorf("%s: Check = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Of fifty parallel uses, over two nodes and after a restart, one succeeds; and its mark outlives its time, so that no other
// clock brings it back.
func TestASolutionIsTakenOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		m := newMaker(t, db)
		p := m.puzzle(t, asked)
		text := payload(t, p, solve(t, p))
		nodes := []*maker{m, m}
		if db.Engine == "postgres" {
			nodes[1] = newMaker(t, db)
		}
		var taken atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				fresh, err := nodes[i%2].Redeem(context.Background(), asked, text)
				if err != nil {
					t.Error(err)
				}
				if fresh {
					taken.Add(1)
				}
			})
		}
		all.Wait()
		if taken.Load() != 1 {
			t.Errorf("of fifty parallel uses %d succeeded, want 1", taken.Load())
		}
		for _, later := range []int64{0, 299, 420} {
			if _, err := m.store.Purge(t.Context(), (began+later)*1_000_000); err != nil {
				t.Fatal(err)
			}
			if fresh, err := newMaker(t, db).Redeem(t.Context(), asked, text); fresh || err != nil {
				t.Errorf("once more after a restart and %d s = %v, %v", later, fresh, err)
			}
		}
		if gone, err := m.store.Purge(t.Context(), (began+800)*1_000_000); gone != 1 || err != nil {
			t.Errorf("Purge after its time = %d, %v; want 1", gone, err)
		}
	})
}

func TestAStoreThatIsGoneTakesNothing(t *testing.T) {
	m := newMaker(t, testdb.SQLite(t))
	p := m.puzzle(t, asked)
	text := payload(t, p, solve(t, p))
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	if fresh, err := m.Redeem(t.Context(), asked, text); fresh || err == nil {
		t.Errorf("Redeem without a store = %v, %v, want an error", fresh, err)
	}
}

func TestDifficultyRisesToABound(t *testing.T) {
	m := newMaker(t, testdb.SQLite(t))
	for excess, want := range map[float64]int64{0: 25_000, 1: 25_000, 2: 50_000, 7.5: 187_500, 8: 200_000, 1e9: 200_000, -1: 25_000} {
		a := asked
		a.Excess = excess
		if p := m.puzzle(t, a); p.MaxNumber != want {
			t.Errorf("at %v times the admitted attempts there are %d numbers, want %d", excess, p.MaxNumber, want)
		}
	}
	if a, b := m.puzzle(t, asked), m.puzzle(t, asked); a.Salt == b.Salt || a.Challenge == b.Challenge {
		t.Error("two challenges are the same")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("eyJhbGdvcml0aG0iOiJTSEEtMjU2In0=")
	f.Add(base64.StdEncoding.EncodeToString([]byte(`{"algorithm":"SHA-256","challenge":"","number":0,"salt":"","signature":""}`)))
	master, err := secret.ParseMasterKey(secret.NewText("5b1f0a9be7c2d4863f7799aa10e4c3d85612f0be9d3c4a7788e1b2c3d4f5a697"))
	if err != nil {
		f.Fatal(err)
	}
	store, err := sqlstore.Open(f.Context(), sqlstore.Config{Database: testdb.SQLite(f).DSN})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = store.Close() })
	keys, err := secret.OpenKeyring(f.Context(), master, "test", store, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	work := challenge.NewWork(challenge.WorkOptions{Keys: keys, Store: store, Now: time.Now})
	f.Fuzz(func(t *testing.T, text string) {
		if work.Check(asked, text) { // nobody else can sign
			t.Errorf("Check(%q) = true", text)
		}
	})
}
