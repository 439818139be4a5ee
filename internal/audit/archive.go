package audit

import (
	"context"
	"net/netip"

	"github.com/ringwall/ringwall/internal/identity"
)

// Filter chooses rows by what the database can see. The zero Filter chooses all.
type Filter struct {
	User        identity.ID // who acted, or to whom it happened
	Name        Name
	SinceMicros int64 // zero: from the beginning
	UntilMicros int64 // before this; zero: to the end
	AfterSeq    int64
	BeforeSeq   int64 // zero: no bound
	Oldest      bool  // oldest first; otherwise newest first
	Limit       int
}

// Query is a Filter, and what only opened rows can tell.
type Query struct {
	Filter
	Address netip.Prefix // where the actor came from; the zero Prefix: from anywhere
}

// Opened is a row with its personal fields, as far as they can be opened.
type Opened struct {
	Row
	Details Details
}

// ArchiveStore is what an [Archive] reads.
type ArchiveStore interface {
	PersonKeyReader
	// Search reads the rows that a filter chooses, Limit of them at most.
	Search(ctx context.Context, filter Filter) ([]Row, error)
}

// Archive reads the log for people: filtered, and with personal fields opened. It records nothing; whoever lets somebody
// read writes an event of that.
type Archive struct {
	store ArchiveStore
	build *Builder
}

// NewArchive makes an Archive.
func NewArchive(store ArchiveStore, build *Builder) *Archive { return &Archive{store, build} }

// maxScan is how many rows one search for an address opens; the caller goes on from there.
const maxScan = 10_000

// Search reads rows. Next is the number of the last row that was looked at, from which a further search goes on; zero if
// there is nothing more.
func (a *Archive) Search(ctx context.Context, q Query) (found []Opened, next int64, err error) {
	keys := keyMemory{a.store, map[identity.ID]rememberedKey{}}
	page := q.Filter
	if q.Address.IsValid() {
		page.Limit = 1000 // most of them will not be wanted
	}
	for scanned := 0; ; {
		rows, err := a.store.Search(ctx, page)
		if err != nil {
			return nil, 0, err
		}
		for i, row := range rows {
			// What cannot be opened is shown without: the row itself is what Verify judges.
			details, err := a.build.Open(ctx, keys, row)
			if err != nil {
				details = Details{}
			}
			if q.Address.IsValid() && !details.isFrom(q.Address) {
				continue
			}
			found = append(found, Opened{row, details})
			if len(found) == q.Limit && (i+1 < len(rows) || len(rows) == page.Limit) {
				return found, row.Seq, nil
			}
		}
		if len(rows) < page.Limit {
			return found, 0, nil
		}
		last := rows[len(rows)-1].Seq
		if scanned += len(rows); scanned >= maxScan {
			return found, last, nil
		}
		if page.Oldest {
			page.AfterSeq = last
		} else {
			page.BeforeSeq = last
		}
	}
}

// ParseNetwork reads an address, or a network such as "203.0.113.0/24".
func ParseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	return network.Masked(), err
}

// isFrom reports whether the actor came from a network. Of counted refusals only the network is known.
func (d Details) isFrom(network netip.Prefix) bool {
	if address, err := netip.ParseAddr(d.Address); err == nil {
		return network.Contains(address)
	}
	counted, err := netip.ParsePrefix(d.Private["network"])
	return err == nil && counted.Overlaps(network)
}

// keyMemory asks the store once for the key of each person.
type keyMemory struct {
	PersonKeyReader
	known map[identity.ID]rememberedKey
}

type rememberedKey struct {
	wrapped []byte
	ok      bool
}

// PersonKey is the wrapped key of a person.
func (m keyMemory) PersonKey(ctx context.Context, user identity.ID) ([]byte, bool, error) {
	if key, known := m.known[user]; known {
		return key.wrapped, key.ok, nil
	}
	wrapped, ok, err := m.PersonKeyReader.PersonKey(ctx, user)
	if err == nil {
		m.known[user] = rememberedKey{wrapped, ok}
	}
	return wrapped, ok, err
}
