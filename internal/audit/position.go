package audit

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// ErrChain says that no recent seal fits our keys, so that nothing can be sealed after them.
var ErrChain = errors.New("the seals of the audit log do not fit our keys: run audit verify, and restore the log or the keys from a backup")

// maxBack is how many broken seals at the end of the chain we look behind.
const maxBack = 100

// position is where the next seal begins: the head it follows, and the last row that is proved.
type position struct {
	head    Head
	tx, seq int64
}

func positionOf(s *Seal) position { return position{head: s.head(), tx: s.LastTx, seq: s.LastSeq} }

// position finds the end of the chain. If that is not what we left there, or does not fit our keys, somebody changed it: we
// raise the alarm and go on so that the scar stays visible to Verify.
func (s *Sealer) position(ctx context.Context) (position, error) {
	last, ok, err := s.store.LastSeal(ctx)
	if err != nil {
		return position{}, fmt.Errorf("read last seal: %w", err)
	}
	switch {
	case ok && last.N > s.known.head.N && last.fits(s.keys):
		s.known = positionOf(&last) // another node's, or an earlier process's
		return s.known, nil
	case ok && last.N > s.known.head.N:
		s.alarm(ctx, "audit log: the last seal was changed or inserted", last.head())
		return s.behind(ctx, &last)
	case ok && last.head().equal(s.known.head), !ok && s.known.head.N == 0:
		return s.known, nil
	}
	// Its number follows on what we remember, so that what is missing leaves a gap.
	s.alarm(ctx, "audit log: its end was cut off or replaced", last.head())
	return s.known, nil
}

// alarm is raised once for each head that it is about.
func (s *Sealer) alarm(ctx context.Context, message string, found Head) {
	if s.alarmed != nil && found.equal(*s.alarmed) {
		return
	}
	s.alarmed = &found
	s.log.ErrorContext(ctx, message, "found", found.String(), "expected", s.known.head.String())
}

// behind is the position after the last seal that fits, to be followed by a seal that names the broken one as its previous.
func (s *Sealer) behind(ctx context.Context, broken *Seal) (position, error) {
	if broken.N == math.MaxInt64 {
		return position{}, ErrChain // no number is left
	}
	for n := broken.N - 1; n > s.known.head.N && n >= broken.N-maxBack; n-- {
		page, err := s.store.Seals(ctx, n-1, 1)
		if err != nil {
			return position{}, fmt.Errorf("read seal %d: %w", n, err)
		}
		if len(page) > 0 && page[0].N == n && page[0].fits(s.keys) {
			return position{head: broken.head(), tx: page[0].LastTx, seq: page[0].LastSeq}, nil
		}
	}
	if s.known.head.N == 0 {
		return position{}, ErrChain
	}
	return position{head: broken.head(), tx: s.known.tx, seq: s.known.seq}, nil
}
