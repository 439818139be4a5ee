package audit

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/ringwall/ringwall/internal/secret"
)

// UnsealedAfter is how long a row may wait for its seal before [Verify] names it.
const UnsealedAfter = 5 * time.Minute

const (
	pageSeals = 16
	// maxPending bounds the rows that are held because a later seal may know them. Sequence numbers and transactions
	// finish in slightly different orders, so in an honest log only a few are held, for a short time.
	maxPending = 100_000
	// maxDoubtful bounds the members that are remembered of broken seals.
	maxDoubtful = 100_000
)

// VerifyOptions are what Verify can be told. The zero value is good.
type VerifyOptions struct {
	Now   func() time.Time // default: time.Now
	Known *Head            // a head that was kept elsewhere; without one a cut end is not found
	Each  func(Finding)    // sees every finding as it is found; may be nil
}

// Verify reads all seals and rows and names what does not fit. It changes nothing, may run beside a working server, and needs
// about 50 MB at most, however long the log. The error is one of the store or of ctx; what is wrong with the log stands in the report.
func Verify(ctx context.Context, store SealStore, keys *secret.Keyring, options VerifyOptions) (Report, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	v := &verifier{
		store: store, keys: keys, options: options, began: options.Now(),
		rows: reader{after: math.MinInt64}, pending: make(map[int64]held), doubtful: make(map[int64]tag),
		report: Report{Findings: []Finding{}, Counts: make(map[Kind]int64)},
	}
	if err := v.seals(ctx); err != nil {
		return Report{}, fmt.Errorf("verify audit log: %w", err)
	}
	v.knownHead()
	if err := v.rest(ctx); err != nil {
		return Report{}, fmt.Errorf("verify audit log: %w", err)
	}
	return v.report, nil
}

type verifier struct {
	store   SealStore
	keys    *secret.Keyring
	options VerifyOptions
	began   time.Time
	report  Report

	before       Head // of the seal read last
	beforeBroken bool
	position     Seal // the last good seal
	sawKnown     bool // the known head stands in the chain

	rows     reader
	pending  map[int64]held // rows that no seal has known yet
	queue    []int64        // their numbers, in order
	doubtful map[int64]tag  // members of broken seals
}

func (v *verifier) find(f Finding) {
	v.report.Counts[f.Kind]++
	if len(v.report.Findings) < maxFindings {
		v.report.Findings = append(v.report.Findings, f)
	}
	if v.options.Each != nil {
		v.options.Each(f)
	}
}

func (v *verifier) seals(ctx context.Context) error {
	after := int64(math.MinInt64)
	for {
		page, err := v.store.Seals(ctx, after, pageSeals)
		if err != nil {
			return fmt.Errorf("read seals: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		for i := range page {
			if page[i].N <= after {
				return fmt.Errorf("read seals: seal %d came after seal %d", page[i].N, after)
			}
			after = page[i].N
			if err := v.seal(ctx, &page[i]); err != nil {
				return err
			}
		}
	}
}

func (v *verifier) seal(ctx context.Context, s *Seal) error {
	v.report.Seals++
	if s.N < 1 {
		v.find(Finding{Kind: SealBroken, Seal: s.N, Detail: "inserted: numbers begin at 1"})
		return nil
	}
	good := s.fits(v.keys)
	switch {
	case s.N != v.before.N+1:
		v.find(Finding{
			Kind: SealMissing, Seal: v.before.N + 1, LastSeal: s.N - 1,
			Detail: fmt.Sprintf("missing: removed, or seal %d was given another number; the rows it proved are named as inserted", s.N),
		})
	case good && !v.beforeBroken && string(s.Previous) != string(v.before.previous()):
		v.find(Finding{Kind: SealUnchained, Seal: s.N, Detail: "does not follow from the seal before it, which was replaced"})
	}
	if v.options.Known != nil && v.options.Known.equal(s.head()) {
		v.sawKnown = true
	}
	v.before, v.beforeBroken = s.head(), !good
	v.report.Head = s.head()
	if good {
		v.position = *s
		return v.cover(ctx, s)
	}
	v.find(Finding{
		Kind: SealBroken, Seal: s.N,
		Detail: fmt.Sprintf("changed, or made with other keys; it says that it proves %d rows from %d to %d", len(s.Members)/memberBytes, s.FirstSeq, s.LastSeq),
	})
	for _, m := range s.members() {
		if len(v.doubtful) < maxDoubtful {
			v.doubtful[m.seq] = m.tag
		}
	}
	return nil
}

func (v *verifier) knownHead() {
	known := v.options.Known
	if known == nil || known.N == 0 || v.sawKnown {
		return
	}
	detail := fmt.Sprintf("the known head is not in the chain, which ends at seal %d: its end was cut off", v.before.N)
	if known.N <= v.before.N {
		detail = "the known head is not in the chain: from this seal on it was replaced"
	}
	v.find(Finding{Kind: HeadMissing, Seal: known.N, Detail: detail})
}
