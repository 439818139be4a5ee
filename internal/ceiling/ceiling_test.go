package ceiling_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// doorman is a challenger whose every challenge is solved by "solved-" and a word, once each.
type doorman struct{ used *sync.Map }

func (doorman) Challenge(asked challenge.Asked) (any, error) {
	return map[string]any{"excess": asked.Excess}, nil
}
func (doorman) Check(_ challenge.Asked, solution string) bool {
	return len(solution) > 7 && solution[:7] == "solved-"
}
func (d doorman) Redeem(_ context.Context, _ challenge.Asked, solution string) (bool, error) {
	_, used := d.used.LoadOrStore(solution, true)
	return !used, nil
}

// bell takes alerts down.
type bell struct {
	mu             sync.Mutex
	open           map[string]bool
	opened, closed int
}

func (b *bell) Raise(_ context.Context, a alerts.Alert) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[a.Kind+a.Key] = true; a.What == "" || a.Help == "" || a.Count == 0 {
		b.opened += 100
	}
	b.opened++
}

func (b *bell) Close(_ context.Context, kind, key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[kind+key] {
		b.closed++
	}
	delete(b.open, kind+key)
}

func (b *bell) counts() (opened, closed, open int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened, b.closed, len(b.open)
}

// town is a database with as many nodes as the test wants, all with one clock.
type town struct {
	t      *testing.T
	db     testdb.DB
	limit  int64
	now    atomic.Int64 // seconds
	used   sync.Map
	bell   bell
	stores []*sqlstore.Store
}

const noon = 1_795_003_200 // a whole minute

func newTown(t *testing.T, db testdb.DB, limit int64) *town {
	tn := &town{t: t, db: db, limit: limit, bell: bell{open: map[string]bool{}}}
	tn.now.Store(noon)
	return tn
}

func (tn *town) node(run bool) *ceiling.Ceiling {
	tn.t.Helper()
	store, err := sqlstore.Open(tn.t.Context(), sqlstore.Config{Database: tn.db.DSN})
	if err != nil {
		tn.t.Fatal(err)
	}
	tn.stores = append(tn.stores, store)
	c := ceiling.New(ceiling.Options{
		Store: store, Challenger: doorman{&tn.used}, Limit: tn.limit, Capacity: func() int64 { return 60 }, Alerts: &tn.bell,
		Now: func() time.Time { return time.Unix(tn.now.Load(), 0) },
	})
	ctx, stop := context.WithCancel(context.Background())
	var worker sync.WaitGroup
	if run {
		worker.Go(func() { c.Run(ctx) })
	}
	tn.t.Cleanup(func() {
		stop()
		worker.Wait()
		_ = store.Close()
	})
	return c
}

func stranger(n int) ceiling.Attempt {
	return ceiling.Attempt{Form: challenge.Login, Client: netip.AddrFrom4([4]byte{203, byte(n >> 16), byte(n >> 8), byte(n)})}
}

func solver(n int) ceiling.Attempt {
	a := stranger(n)
	a.Solution = fmt.Sprint("solved-", n)
	return a
}

func friend(n byte) ceiling.Attempt {
	return ceiling.Attempt{Form: challenge.Login, Known: true, Who: identity.ID{0: n + 1, 6: 0x40, 8: 0x80}}
}

// code is how an attempt ended: "" if it may go on. Everything goes the way that the accounts go.
func code(c *ceiling.Ceiling, a ceiling.Attempt) string {
	err := c.Refuses(a)
	if err == nil {
		_, err = c.Pass(context.Background(), a)
	}
	if err == nil {
		return ""
	}
	return problem.From(err).Code
}

func (tn *town) want(what string, c *ceiling.Ceiling, a ceiling.Attempt, want string) {
	tn.t.Helper()
	if got := code(c, a); got != want {
		tn.t.Fatalf("%s = %q, want %q", what, got, want)
	}
}

func (tn *town) within(what string, so func() bool) {
	tn.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tn.t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// D25: half for anybody, two thirds with those who solve a challenge, the last third for known devices.
func TestSharesOfTheCeiling(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		tn := newTown(t, db, 30)
		c := tn.node(false)
		for n := range 15 {
			tn.want(fmt.Sprint("stranger ", n), c, stranger(n), "")
		}
		tn.want("one more stranger", c, stranger(15), "challenge-required")
		tn.want("with a wrong solution", c, ceiling.Attempt{Form: challenge.Login, Solution: "guessed"}, "challenge-required")
		for n := range 5 {
			tn.want(fmt.Sprint("solver ", n), c, solver(n), "")
		}
		tn.want("one more solver", c, solver(5), "too-many-requests")
		tn.want("a known device", c, friend(0), "")
		tn.want("a proof without a form", c, ceiling.Attempt{Known: true, Who: identity.ID{15: 9}}, "")
		for n := range byte(8) {
			tn.want(fmt.Sprint("known device ", n), c, friend(n+1), "")
		}
		tn.want("a known device beyond the ceiling", c, friend(20), "too-many-requests")
		tn.now.Add(60)
		tn.want("a stranger in the next minute", c, stranger(0), "challenge-required")
		for n := range 20 {
			tn.want(fmt.Sprint("solver in the next minute ", n), c, solver(100+n), "")
		}
		tn.want("one more of them", c, solver(200), "too-many-requests")
	})
}

// An account of one's own buys five places a minute, not everybody's.
func TestAFriendHasFiveAMinute(t *testing.T) {
	tn := newTown(t, testdb.SQLite(t), 30)
	c := tn.node(false)
	for n := range 16 {
		code(c, stranger(n))
	}
	for range 5 {
		tn.want("a known device", c, friend(1), "")
	}
	tn.want("the sixth time", c, friend(1), "challenge-required")
	tn.want("another's", c, friend(2), "")
	tn.now.Add(60)
	tn.want("a minute later", c, friend(1), "")
}

// What was not made takes no place: whom the hash queue turned away, or whose client hung up.
func TestAReturnedPlaceIsFree(t *testing.T) {
	tn := newTown(t, testdb.SQLite(t), 30)
	c := tn.node(false)
	for n := range 500 {
		for name, a := range map[string]ceiling.Attempt{"a stranger": stranger(n), "a known device": friend(1)} {
			place, err := c.Pass(t.Context(), a)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			place.Return()
		}
	}
	place, err := c.Pass(t.Context(), stranger(0))
	if err != nil {
		t.Fatal(err)
	}
	tn.now.Add(60)
	place.Return() // into no other minute
	for n := range 15 {
		tn.want(fmt.Sprint("stranger ", n), c, stranger(n), "")
	}
	tn.want("one more", c, stranger(15), "challenge-required")
}

func TestASolutionOpensOnce(t *testing.T) {
	tn := newTown(t, testdb.SQLite(t), 60)
	c := tn.node(false)
	for n := range 31 {
		code(c, stranger(n))
	}
	tn.want("a solution", c, solver(1), "")
	for range 100 { // none of them takes a place
		tn.want("the same solution", c, solver(1), "challenge-required")
	}
	for n := range 9 {
		tn.want("another solution", c, solver(2+n), "")
	}
	tn.want("one too many", c, solver(99), "too-many-requests")
}

// S052: 500 addresses over two nodes, at once: never more than the ceiling, and hardly less than the part of strangers. The
// overshoot is zero, because nodes are granted what they spend.
func TestTwoNodesNeverPassTheCeiling(t *testing.T) {
	for _, limit := range []int64{20, 300} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			tn := newTown(t, testdb.Postgres(t), limit)
			nodes := []*ceiling.Ceiling{tn.node(true), tn.node(true)}
			flood := func(attempt func(n int) ceiling.Attempt) int64 {
				var admitted atomic.Int64
				var all sync.WaitGroup
				for i := range 25 {
					all.Go(func() {
						for n := range 20 {
							if code(nodes[n%2], attempt(i*20+n)) == "" {
								admitted.Add(1)
							}
						}
					})
				}
				all.Wait()
				return admitted.Load()
			}
			open := flood(stranger)
			if open > limit/2 || open < limit/2-2*max(limit/32, 1) {
				t.Errorf("%d strangers were admitted, want half of %d, less two leases at the least", open, limit)
			}
			solved := flood(solver)
			if all := open + solved; all > limit*2/3 || all < limit*2/3-2*max(limit/32, 1) {
				t.Errorf("%d strangers were admitted in all, want two thirds of %d, less two leases at the least", all, limit)
			}
			known := flood(func(n int) ceiling.Attempt {
				a := friend(0)
				a.Who = identity.ID{0: byte(n), 1: byte(n >> 8), 15: 7}
				return a
			})
			if all := open + solved + known; all > limit || known < limit/3-2*max(limit/32, 1) {
				t.Errorf("%d were admitted, of them %d known, want at most %d and a third known", all, known, limit)
			}
		})
	}
}

// S053: tripped until two minutes are calm, on every node and over a restart; one alert, closed at the end.
func TestTrippedUntilTwoMinutesAreCalm(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		tn := newTown(t, db, 30)
		c := tn.node(true)
		for n := range 16 {
			code(c, stranger(n))
		}
		tn.within("the alert", func() bool { opened, _, open := tn.bell.counts(); return opened == 1 && open == 1 })
		tn.now.Add(60) // the first calm minute
		if c.Challenge(challenge.Login, netip.Addr{}) == nil {
			t.Error("a page asks for nothing while it is tripped")
		}
		tn.want("in the first calm minute", c, stranger(1), "challenge-required")
		tn.now.Add(60)
		again := tn.node(true) // a restart, or another node
		tn.want("in the second calm minute, after a restart", again, stranger(1), "challenge-required")
		tn.want("with a solution", again, solver(1), "")
		if _, closed, _ := tn.bell.counts(); closed != 0 {
			t.Error("the alert is closed before its end")
		}
		tn.now.Add(60)
		tn.want("after two calm minutes", c, stranger(1), "")
		tn.want("after two calm minutes, elsewhere", again, stranger(1), "")
		if c.Challenge(challenge.Login, netip.Addr{}) != nil {
			t.Error("a page asks for something when it is over")
		}
		tn.within("the alert is closed", func() bool { opened, closed, open := tn.bell.counts(); return opened == 1 && closed == 1 && open == 0 })
	})
}

// The flood goes on, refused in memory: it stays tripped, and tells the store a few times a second, not at every attempt.
func TestAFloodKeepsItTrippedAndTellsLittle(t *testing.T) {
	tn := newTown(t, testdb.SQLite(t), 30)
	c := tn.node(true)
	for minute := range 4 {
		for n := range 5000 {
			if got := code(c, stranger(n)); got != "" && got != "challenge-required" {
				t.Fatalf("minute %d: %q", minute, got)
			}
		}
		tn.within("the minute is told", func() bool {
			rows, err := tn.stores[0].CeilingMinutes(t.Context(), noon/60, noon/60+10)
			return err == nil && len(rows) == minute+1 && rows[minute].Wanted == 5000 && rows[minute].Hot
		})
		tn.now.Add(60)
	}
	tn.within("the alert is raised, and updated once a minute", func() bool { opened, closed, _ := tn.bell.counts(); return opened == 4 && closed == 0 })
}

// Difficulty follows how far the ceiling is exceeded.
func TestExcess(t *testing.T) {
	tn := newTown(t, testdb.SQLite(t), 30)
	c := tn.node(false)
	var last float64
	for n := range 60 {
		err := c.Refuses(stranger(n))
		if err == nil {
			_, err = c.Pass(t.Context(), stranger(n))
		}
		if p := problem.From(err); err != nil && len(p.Members) == 1 {
			last = p.Members[0].Value.(map[string]any)["excess"].(float64)
		}
	}
	if last < 3.9 || last > 4.1 {
		t.Errorf("sixty attempts where fifteen are free are %v times as many, want 4", last)
	}
}

// Without a fixed number the ceiling follows the traffic, and never falls below half of what can be hashed.
func TestTheCeilingFollowsTheMedian(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		tn := newTown(t, db, 0)
		c := tn.node(true)
		admitted := func() (n int) {
			for code(c, stranger(n)) == "" {
				n++
			}
			return n
		}
		if got := admitted(); got != 15 { // half of half of 60
			t.Errorf("on the first day %d strangers are admitted, want 15", got)
		}
		tell := func(minute, wanted int64, hot bool) {
			most := int64(1000)
			if hot {
				most = wanted - 1
			}
			if _, err := tn.stores[0].LeaseAttempts(t.Context(), ceiling.Lease{Minute: minute, Wanted: wanted, Share: 1000, Ceiling: 2000, Free: 1000, Most: most}); err != nil {
				t.Fatal(err)
			}
		}
		today := int64(noon/60 + 5*24*60)
		for i := range int64(9) {
			tell(today-100-i, 1+i, false) // the median is 5 …
			tell(today-200-i, 900, true)  // … whatever came in minutes that were hot …
			tell(today-8*24*60-i, 900, false)
		}
		tn.now.Store(today * 60) // … and more than a week ago
		if got := admitted(); got != 25 {
			t.Errorf("with a median of five %d strangers are admitted, want 25", got)
		}
	})
}

// A clock that is set forward or back gives nobody more than a minute has, and leaves no challenge behind for an hour.
func TestClockSteps(t *testing.T) {
	tn := newTown(t, testdb.SQLite(t), 30)
	c := tn.node(false)
	for n := range 16 {
		code(c, stranger(n))
	}
	tn.now.Add(3600)
	tn.want("an hour later", c, stranger(1), "")
	for n := range 16 {
		code(c, stranger(n))
	}
	tn.want("which trips too", c, stranger(1), "challenge-required")
	tn.now.Add(-3600)
	tn.want("back in the first minute, which is spent", c, stranger(1), "challenge-required")
	for n := range 5 {
		tn.want("its solvers", c, solver(n), "")
	}
	tn.want("and no more of them", c, solver(9), "too-many-requests")
	tn.now.Add(-1800)
	tn.want("before all that", c, stranger(1), "")
}

// Whoever needs no hash needs a challenge all the same, and takes no place.
func TestLightAttempts(t *testing.T) {
	tn := newTown(t, testdb.SQLite(t), 30)
	c := tn.node(false)
	light := func(a ceiling.Attempt) ceiling.Attempt {
		a.Light = true
		return a
	}
	for n := range 100 {
		tn.want("while it is calm", c, light(stranger(n)), "")
	}
	for n := range 16 {
		code(c, stranger(n))
	}
	tn.want("a stranger", c, light(stranger(1)), "challenge-required")
	for n := range 20 {
		tn.want("a solver", c, light(solver(n)), "")
	}
	tn.want("a solver again", c, light(solver(1)), "challenge-required")
	tn.want("a known device", c, light(friend(1)), "")
	tn.want("there is room for those who hash", c, solver(50), "")
}

func TestOffIsOff(t *testing.T) {
	c := ceiling.New(ceiling.Options{Limit: -1})
	for n := range 1000 {
		if got := code(c, stranger(n)); got != "" {
			t.Fatal(got)
		}
	}
	c.Run(t.Context())
}
