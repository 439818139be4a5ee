package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/internal/secret"
)

const (
	sealEvery    = 250 * time.Millisecond
	retryLongest = 30 * time.Second // the store fails
	heldLongest  = 5 * time.Second  // rows wait for a transaction
	headEvery    = time.Minute
	lastSealing  = time.Second // how long Run waits, when it ends, for rows that are held back
	maxRaces     = 5
)

// SealerOptions may be left empty.
type SealerOptions struct {
	Now func() time.Time // for the time that a seal bears. Default: time.Now
	Log *slog.Logger     // hears of each new head, and of tampering. Default: none, which gives the head up
}

// Sealer proves new rows in batches: 250 ms after the first, or when there are 1,000. Several nodes may each run one on the
// same database: of two that seal at once, the database lets one through.
type Sealer struct {
	store   SealStore
	keys    *secret.Keyring
	now     func() time.Time
	log     *slog.Logger
	wake    chan struct{}
	full    chan struct{}
	commits atomic.Int64 // since the last sealing

	// What follows belongs to Run.
	known   position // the end of the chain, as far as we know
	told    Head     // the head that was logged last
	toldAt  time.Time
	alarmed *Head // the head that we last raised the alarm about
	failing bool
	pause   time.Duration // before the next try; zero: none is needed
}

// NewSealer makes a Sealer. It starts nothing; see [Sealer.Run].
func NewSealer(store SealStore, keys *secret.Keyring, options SealerOptions) *Sealer {
	s := &Sealer{
		store: store, keys: keys, now: options.Now, log: options.Log,
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Wake tells that a transaction with events was committed. It never blocks.
func (s *Sealer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
	if s.commits.Add(1) == batchRows {
		select {
		case s.full <- struct{}{}:
		default:
		}
	}
}

// Run seals until ctx ends, first of all what an earlier process left; then it seals once more and returns. It sleeps while
// nothing happens. When the store fails it tries again, with growing pauses up to 30 seconds. Call it once at a time.
func (s *Sealer) Run(ctx context.Context) {
	defer s.end(ctx)
	s.round(ctx)
	for ctx.Err() == nil {
		retry, headTime := after(s.pause), after(s.untilHead())
		select {
		case <-ctx.Done():
			return
		case <-headTime:
			s.tellHead(ctx)
			continue
		case <-retry:
		case <-s.wake:
			if !s.collect(ctx) {
				return
			}
		}
		s.round(ctx)
	}
}

// after is a channel that delivers once; none for zero.
func after(wait time.Duration) <-chan time.Time {
	if wait == 0 {
		return nil
	}
	return time.After(wait)
}

// collect lets more rows come before they are sealed; false if ctx ended.
func (s *Sealer) collect(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-s.full:
	case <-time.After(sealEvery):
	}
	return true
}

// round seals what there is, and decides when to try again.
func (s *Sealer) round(ctx context.Context) {
	s.commits.Store(0)
	select { // what filled up before this round is sealed by it
	case <-s.full:
	default:
	}
	waiting, err := s.sealAll(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		s.pause = grow(s.pause, retryLongest)
		if !s.failing {
			s.failing = true
			s.log.ErrorContext(ctx, "audit rows cannot be sealed; trying again", "error", err)
		}
		return
	case waiting:
		s.pause = grow(s.pause, heldLongest)
	default:
		s.pause = 0
	}
	if s.failing {
		s.failing = false
		s.log.InfoContext(ctx, "audit rows are sealed again")
	}
	if s.untilHead() == 1 {
		s.tellHead(ctx)
	}
}

// grow doubles a pause, a little more or less, so that several nodes do not stay in step.
func grow(pause, longest time.Duration) time.Duration {
	pause = min(max(2*pause, sealEvery), longest)
	return pause - time.Duration(time.Now().UnixNano())%(pause/5+1)
}

// end seals what came last and tells the head.
func (s *Sealer) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	for began := time.Now(); ; time.Sleep(sealEvery / 5) {
		waiting, err := s.sealAll(ctx)
		if err != nil {
			s.log.ErrorContext(ctx, "the last audit rows were not sealed; the next start does it", "error", err)
		}
		if err != nil || !waiting || time.Since(began) > lastSealing {
			break
		}
	}
	s.tellHead(ctx)
}

// untilHead is how long until the head should be told; zero if it has been.
func (s *Sealer) untilHead() time.Duration {
	switch {
	case s.known.head.equal(s.told):
		return 0
	case s.toldAt.IsZero():
		return 1
	}
	return max(1, headEvery-time.Since(s.toldAt))
}

func (s *Sealer) tellHead(ctx context.Context) {
	if s.known.head.equal(s.told) {
		return
	}
	s.told, s.toldAt = s.known.head, time.Now()
	s.log.InfoContext(ctx, "audit head", "head", s.told.String())
}

// sealAll seals until no row is left. Waiting says that rows are held back, or that other nodes were always first.
func (s *Sealer) sealAll(ctx context.Context) (waiting bool, err error) {
	for races := 0; races < maxRaces; {
		from, err := s.position(ctx)
		if err != nil {
			return false, err
		}
		rows, waiting, err := s.store.Unsealed(ctx, from.tx, from.seq, batchRows)
		if err != nil {
			return false, fmt.Errorf("read unsealed rows: %w", err)
		}
		if len(rows) == 0 {
			return waiting, nil
		}
		if err := s.inspect(ctx, from, rows); err != nil {
			return false, err
		}
		seal := newSeal(s.keys, from.head, rows, s.now())
		inserted, err := s.store.InsertSeal(ctx, seal)
		if err != nil {
			return false, fmt.Errorf("store seal %d: %w", seal.N, err)
		}
		if !inserted {
			races++
			continue
		}
		s.known = positionOf(&seal)
		races = 0
		if len(rows) < batchRows {
			return waiting, nil
		}
	}
	return true, nil
}

// inspect refuses rows in a wrong order, which would spoil the chain, and raises the alarm about forged ones. Those are
// sealed too, since a row that is left out cannot be proved to have been there; Verify names them.
func (s *Sealer) inspect(ctx context.Context, from position, rows []Row) error {
	tx, seq := from.tx, from.seq
	forged, first := 0, int64(0)
	for i := range rows {
		if rows[i].Tx < tx || rows[i].Tx == tx && rows[i].Seq <= seq {
			return errors.New("the store gave unsealed rows in a wrong order")
		}
		tx, seq = rows[i].Tx, rows[i].Seq
		if !rows[i].markFits(s.keys) {
			if forged++; forged == 1 {
				first = seq
			}
		}
	}
	if forged > 0 {
		s.log.ErrorContext(ctx, "audit log: rows that no server of ours wrote", "rows", forged, "first_seq", first)
	}
	return nil
}
