package ratelimit

import (
	"hash/maphash"
	"math/bits"
	"sync"
)

const (
	shards        = 32
	setSize       = 16 // places that one key may have
	commonBuckets = 32 // of each shard
	wordBytes     = 8
)

// memory holds buckets in tables of places, a table a shard. A bucket is when it will be full, for each window: one whose
// time is over tells no more than none. A key has its place in one set of sixteen, so a decision costs the same however
// full the tables are, and nothing is ever searched or swept.
type memory struct {
	seed    maphash.Seed
	windows int
	rates   [2][MaxWindows]rate // of a key, and of the wider network in which it counts besides
	first   int                 // sets of a table that begins
	most    int                 // sets of a table that is grown up
	longest int64               // what the slowest bucket takes to fill up
	shards  [shards]shard
}

type shard struct {
	mu     sync.Mutex
	hashes []uint64 // zero: an empty place
	full   []int64  // when the buckets of a place are full
	common []int64  // the same of the common buckets
	spilt  []int64  // until when a set has keys in common buckets
}

func newMemory(windows []Window, bytes int64) *memory {
	m := &memory{seed: maphash.MakeSeed(), windows: len(windows)}
	for i, w := range windows {
		m.rates[0][i], m.rates[1][i] = w.rate(1), w.rate(widerTimes)
		m.longest = max(m.longest, int64(w.Per))
	}
	set := int64(wordBytes * (1 + setSize*(1+len(windows))))
	sets := max((bytes/shards-int64(commonBuckets*wordBytes*len(windows)))/set, 1)
	// Tables double, so that every set becomes two and none is too small for what it takes over.
	doublings := max(bits.Len64(uint64(sets))-3, 0) // #nosec G115 -- not negative
	m.first = int(sets >> doublings)
	m.most = m.first << doublings
	return m
}

// bucket is where a key counts: its times, and how fast they run in.
type bucket struct {
	full  []int64
	rates *[MaxWindows]rate
}

// take decides on the buckets of a key as if nobody else were there: their shards are locked, in the order of their numbers.
func (m *memory) take(key Key, cost int, now int64) Decision {
	hash := m.hash(key)
	wider, twice := key.wider()
	near := &m.shards[hash%shards]
	if !twice {
		near.mu.Lock()
		defer near.mu.Unlock()
		return m.decide([2]bucket{m.find(near, sought{key: key, hash: hash}, cost, now)}, cost, now)
	}
	wideHash := m.hash(wider)
	wide := &m.shards[wideHash%shards]
	first, second := near, wide
	if hash%shards > wideHash%shards {
		first, second = wide, near
	}
	first.mu.Lock()
	defer first.mu.Unlock()
	if second != first {
		second.mu.Lock()
		defer second.mu.Unlock()
	}
	own := m.find(near, sought{key: key, hash: hash}, cost, now)
	both := [2]bucket{own, m.find(wide, sought{wider, wideHash, 1, hash}, cost, now)}
	if wide == near { // the second may have made the table grow in which the first stood
		both[0] = m.find(near, sought{key, hash, 0, wideHash}, cost, now)
	}
	return m.decide(both, cost, now)
}

func (m *memory) decide(buckets [2]bucket, cost int, now int64) Decision {
	d, asked := Decision{Admitted: true}, int64(cost)
	for _, b := range buckets {
		for i := range b.full {
			b.full[i] = b.rates[i].clamp(b.full[i], now)
			d.Admitted = d.Admitted && b.rates[i].fits(b.full[i], now, asked)
		}
	}
	for n, b := range buckets {
		for i := range b.full {
			if d.Admitted {
				b.full[i] = b.rates[i].after(b.full[i], asked)
			}
			s := b.rates[i].state(b.full[i], now, asked)
			if d.Admitted {
				s.Wait = 0
			}
			if n > 0 {
				s = scarcer(d.Windows[i], s)
			}
			d.Windows[i] = s
			d.Wait = max(d.Wait, s.Wait)
		}
	}
	return d
}

func (m *memory) hash(key Key) uint64 {
	return max(maphash.Comparable(m.seed, key), 1)
}

// sought is a key whose bucket is wanted.
type sought struct {
	key  Key
	hash uint64
	wide int    // 1: it is the wider network of another
	with uint64 // the other of the pair, whose place is not to be had though nothing stands in it yet
}

// find is the bucket of a key: its own, a new one in a place whose bucket is full again, or the common one. Whoever only
// asks gets no place.
func (m *memory) find(s *shard, k sought, cost int, now int64) bucket {
	key, hash, rates := k.key, k.hash, &m.rates[k.wide]
	if len(s.hashes) == 0 {
		s.hashes, s.full = make([]uint64, m.first*setSize), make([]int64, m.first*setSize*m.windows)
	}
	for {
		set := setOf(hash, len(s.hashes)/setSize)
		begin, free := set*setSize, -1
		for i, held := range s.hashes[begin : begin+setSize] {
			if held == hash {
				return bucket{m.at(s.full, begin+i), rates}
			}
			if free < 0 && (held == 0 || held != k.with && m.isFull(s, begin+i, now)) {
				free = begin + i
			}
		}
		switch {
		case cost <= 0 && (s.spilt == nil || s.spilt[set] <= now):
			return bucket{make([]int64, m.windows), rates}
		case cost <= 0:
			return bucket{m.commonOf(s, key), rates}
		case free >= 0:
			s.hashes[free] = hash
			full := m.at(s.full, free)
			clear(full)
			if s.spilt != nil && s.spilt[set] > now {
				copy(full, m.commonOf(s, key)) // whoever has shared it did not get here by waiting
			}
			return bucket{full, rates}
		case len(s.hashes) < m.most*setSize:
			m.grow(s, k.with, now)
		default:
			if s.common == nil {
				s.common, s.spilt = make([]int64, commonBuckets*m.windows), make([]int64, m.most)
			}
			s.spilt[set] = now + m.longest
			return bucket{m.commonOf(s, key), rates}
		}
	}
}

// commonOf is the bucket that a key shares where there is no room.
func (m *memory) commonOf(s *shard, key Key) []int64 {
	return m.at(s.common, int(m.hash(key.common())/shards%commonBuckets))
}

func (m *memory) at(full []int64, place int) []int64 {
	return full[place*m.windows : (place+1)*m.windows]
}

func (m *memory) isFull(s *shard, place int, now int64) bool {
	for _, full := range m.at(s.full, place) {
		if full > now {
			return false
		}
	}
	return true
}

// grow doubles a table. Buckets that are full again stay behind, but for that of one hash.
func (m *memory) grow(s *shard, keep uint64, now int64) {
	old := shard{hashes: s.hashes, full: s.full}
	s.hashes, s.full = make([]uint64, 2*len(old.hashes)), make([]int64, 2*len(old.full))
	for place, hash := range old.hashes {
		if hash == 0 || hash != keep && m.isFull(&old, place, now) {
			continue
		}
		at := setOf(hash, len(s.hashes)/setSize) * setSize
		for s.hashes[at] != 0 {
			at++
		}
		s.hashes[at] = hash
		copy(m.at(s.full, at), m.at(old.full, place))
	}
}

// setOf is the set of a hash among so many, by its upper digits; the lower ones have chosen the shard.
func setOf(hash uint64, sets int) int {
	set, _ := bits.Mul64(hash, uint64(sets)) // #nosec G115 -- not negative
	return int(set)                          // #nosec G115 -- less than sets
}
