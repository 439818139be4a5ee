package audit

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// held is what is kept of a row until its seal comes.
type held struct {
	digest     digest
	forged     bool
	tx         int64
	timeMicros int64
	event      string
}

func (v *verifier) hold(row *Row) held {
	v.report.Rows++
	return held{
		digest: row.digest(), forged: !row.markFits(v.keys), tx: row.Tx, timeMicros: row.TimeMicros,
		event: row.ID.String() + " " + clean(row.Name),
	}
}

func (h *held) finding(kind Kind, seq int64, detail string) Finding {
	return Finding{Kind: kind, Seq: seq, Event: h.event, TimeMicros: h.timeMicros, Detail: detail}
}

// cover compares the rows that a good seal proves, reading rows as far as it reaches.
func (v *verifier) cover(ctx context.Context, s *Seal) error {
	members := s.members()
	expected := make(map[int64]tag, len(members))
	reach := int64(math.MinInt64)
	for _, m := range members {
		reach = max(reach, m.seq)
		if row, ok := v.pending[m.seq]; ok {
			delete(v.pending, m.seq)
			v.compare(m.seq, row, m.tag)
			continue
		}
		expected[m.seq] = m.tag
	}
	err := v.rows.each(ctx, v.store, reach, func(row *Row) {
		h := v.hold(row)
		if t, ok := expected[row.Seq]; ok {
			delete(expected, row.Seq)
			v.compare(row.Seq, h, t)
			return
		}
		v.wait(row.Seq, h)
	})
	if err != nil {
		return err
	}
	for _, m := range members { // in their order, not in that of the map
		if _, ok := expected[m.seq]; !ok {
			continue
		}
		if err := v.absent(ctx, s.N, m); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) compare(seq int64, row held, t tag) {
	delete(v.doubtful, seq)
	switch {
	case !row.digest.fits(v.keys, t):
		v.find(row.finding(Changed, seq, "changed after it was sealed"))
	case row.forged:
		v.find(row.finding(Forged, seq, "written, or changed before it was sealed, by somebody without our keys"))
	}
}

// absent names a row that a good seal knows and that was not where it should be. While a server works, a row may commit
// after we read past its number and before we read its seal, so it is looked for once more.
func (v *verifier) absent(ctx context.Context, n int64, m member) error {
	delete(v.doubtful, m.seq)
	row, ok, err := v.row(ctx, m.seq)
	switch {
	case err != nil:
		return err
	case ok:
		v.compare(m.seq, v.hold(&row), m.tag)
	default:
		v.find(Finding{Kind: Removed, Seq: m.seq, Detail: fmt.Sprintf("removed: seal %d proves that it was here", n)})
	}
	return nil
}

func (v *verifier) row(ctx context.Context, seq int64) (Row, bool, error) {
	if seq == math.MinInt64 { // nothing lies before it, and only a broken seal names it
		return Row{}, false, nil
	}
	page, err := v.store.Rows(ctx, seq-1, 1)
	if err != nil {
		return Row{}, false, fmt.Errorf("read row %d: %w", seq, err)
	}
	if len(page) == 0 || page[0].Seq != seq {
		return Row{}, false, nil
	}
	return page[0], true, nil
}

// wait keeps a row for a later seal; the longest waiting goes when there are too many.
func (v *verifier) wait(seq int64, row held) {
	v.pending[seq] = row
	v.queue = append(v.queue, seq)
	for len(v.pending) > maxPending {
		v.dismiss()
	}
	if len(v.queue) > 2*maxPending { // most of them have met their seals
		v.queue = slices.DeleteFunc(v.queue, func(seq int64) bool {
			_, waits := v.pending[seq]
			return !waits
		})
	}
}

// dismiss judges the row that waits longest.
func (v *verifier) dismiss() {
	seq := v.queue[0]
	v.queue = v.queue[1:]
	if row, ok := v.pending[seq]; ok {
		delete(v.pending, seq)
		v.judge(seq, row)
	}
}

// judge says what a row is that no good seal knows.
func (v *verifier) judge(seq int64, row held) {
	if t, ok := v.doubtful[seq]; ok {
		v.compare(seq, row, t) // the broken seal has been named; a row that fits it was not changed
		return
	}
	last := &v.position
	waited := max(v.began.UnixMicro()-row.timeMicros, row.timeMicros-v.began.UnixMicro())
	switch {
	case last.N > 0 && (row.tx < last.LastTx || row.tx == last.LastTx && seq <= last.LastSeq):
		v.find(row.finding(Inserted, seq, "no seal knows it, though later rows are sealed: inserted, or its seal was removed"))
	case row.forged:
		v.find(row.finding(Forged, seq, "written or changed by somebody without our keys; not sealed yet"))
	case waited > UnsealedAfter.Microseconds():
		v.find(row.finding(Unsealed, seq, "not sealed, and not of the last five minutes: no sealer runs, or a transaction holds it up"))
	default:
		v.report.Fresh++
	}
}

// rest judges everything that no good seal has known.
func (v *verifier) rest(ctx context.Context) error {
	for len(v.queue) > 0 {
		v.dismiss()
	}
	err := v.rows.each(ctx, v.store, math.MaxInt64, func(row *Row) { v.judge(row.Seq, v.hold(row)) })
	if err != nil {
		return err
	}
	named := make([]int64, 0, len(v.doubtful)) // what only broken seals name, and no row answered to
	for seq := range v.doubtful {
		named = append(named, seq)
	}
	slices.Sort(named)
	for _, seq := range named {
		_, ok, err := v.row(ctx, seq)
		if err != nil {
			return err
		}
		if !ok {
			v.find(Finding{Kind: Removed, Seq: seq, Detail: "removed, as far as a broken seal can be believed"})
		}
	}
	return nil
}

// reader reads rows in the order of their numbers, page by page.
type reader struct {
	page  []Row
	next  int   // of the page
	after int64 // the number read last
}

// each hands over the rows up to a number, once each.
func (r *reader) each(ctx context.Context, store SealStore, to int64, use func(*Row)) error {
	for {
		for ; r.next < len(r.page); r.next++ {
			if r.page[r.next].Seq > to {
				return nil
			}
			use(&r.page[r.next])
		}
		if r.after >= to {
			return nil
		}
		page, err := store.Rows(ctx, r.after, batchRows)
		if err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
		r.page, r.next = page, 0
		if len(page) == 0 {
			return nil
		}
		if page[0].Seq <= r.after {
			return fmt.Errorf("read rows: row %d came after row %d", page[0].Seq, r.after)
		}
		r.after = page[len(page)-1].Seq
	}
}
