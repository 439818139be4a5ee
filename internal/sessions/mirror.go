package sessions

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/ringwall/ringwall/internal/identity"
)

// A mirror holds the sessions that were used lately: flat entries without pointers, so that the garbage collector
// never walks them, in shards with a lock each. People are held apart, by id. The package comment says why it is exact.
type mirror struct {
	shards [shardCount]shard
	people people
	budget budget
}

const (
	shardCount = 64
	minPer     = 16 // entries a shard, however small the bound
	chunkSize  = 64 // entries

	// What an entry and a person take of the heap at the most, index and usual strings included; measured with a million.
	entryCost  = 176
	personCost = 272
)

// budget is the memory that is left for entries and people together.
type budget struct{ left atomic.Int64 }

// take reports whether there was as much, and has taken it then; with must, it takes more than there is.
func (b *budget) take(bytes int64, must bool) bool {
	if b.left.Add(-bytes) >= 0 || must {
		return true
	}
	b.left.Add(bytes)
	return false
}

func (b *budget) give(bytes int64) { b.left.Add(bytes) }

// keyOf is the part of a hash that indexes an entry; find compares the whole. Of two with the same part, which chance will
// not bring about, the later has the place.
type keyOf uint64

func key(hash Hash) keyOf { return keyOf(binary.LittleEndian.Uint64(hash[:])) }

type shard struct {
	mu     sync.RWMutex
	gen    uint64
	index  map[keyOf]uint32
	slab   [][]entry // in chunks, so that growing copies nothing
	size   uint32    // entries in the slab
	free   []uint32
	hand   uint32
	budget *budget
}

func (sh *shard) at(i uint32) *entry { return &sh.slab[i/chunkSize][i%chunkSize] }

// entry is a session without pointers. It fills two lines of a processor's cache: chunks begin at the start of one.
type entry struct {
	hash     Hash
	id, user identity.ID
	created  int64
	expires  int64
	idle     int64
	fresh    int64
	seen     atomic.Int64 // last seen
	pushed   atomic.Int64 // the last-seen time handed on for writing
	used     atomic.Bool  // since the hand of the clock passed
	flags    uint8
	_        [8]byte
}

const (
	flagRemembered = 1 << iota
	flagBearer
)

// generation is the state of the mirror at which a load began.
type generation struct{ shard, people uint64 }

func newMirror(bytes int64) *mirror {
	m := &mirror{}
	m.budget.left.Store(bytes)
	for i := range m.shards {
		m.shards[i].budget = &m.budget
		m.shards[i].index = map[keyOf]uint32{}
	}
	m.people.budget = &m.budget
	m.people.byID = map[identity.ID]*Person{}
	return m
}

func (m *mirror) shard(hash Hash) *shard { return &m.shards[hash[31]%shardCount] }

// find is a live session with its owner. Dirty reports that its last-seen time has not been handed on for pushEvery.
func (m *mirror) find(hash Hash, now, pushEvery int64) (s Session, p *Person, dirty, ok bool) {
	sh := m.shard(hash)
	sh.mu.RLock()
	e := sh.find(hash)
	if e == nil {
		sh.mu.RUnlock()
		return
	}
	seen := e.seen.Load()
	if now >= e.expires || now >= seen+e.idle {
		sh.mu.RUnlock()
		return // timed out: the load finds the same, and nothing is kept of it
	}
	if now > seen {
		e.seen.Store(now)
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	if pushed := e.pushed.Load(); now-pushed >= pushEvery {
		dirty = e.pushed.CompareAndSwap(pushed, now)
	}
	s = e.session()
	sh.mu.RUnlock()
	p, ok = m.people.find(s.User)
	return s, p, dirty, ok && !p.Locked
}

// find is the entry of a hash, or nil. The shard is locked.
func (sh *shard) find(hash Hash) *entry {
	if at, ok := sh.index[key(hash)]; ok {
		if e := sh.at(at); e.hash == hash {
			return e
		}
	}
	return nil
}

func (e *entry) session() Session {
	return Session{
		ID: e.id, User: e.user, TokenHash: e.hash,
		CreatedMicros: e.created, LastSeenMicros: e.seen.Load(), ExpiresMicros: e.expires, IdleMicros: e.idle, FreshMicros: e.fresh,
		Remembered: e.flags&flagRemembered != 0, Bearer: e.flags&flagBearer != 0,
	}
}

// generation is read before a load begins.
func (m *mirror) generation(hash Hash) generation {
	sh := m.shard(hash)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return generation{sh.gen, m.people.gen.Load()}
}

// insert keeps what a load found, unless something was invalidated since before. It returns the session that had to
// make room, if its last-seen time has not been handed on.
func (m *mirror) insert(s Session, p *Person, before generation) (id identity.ID, seen int64, evicted bool) {
	m.people.insert(p, before.people)
	sh := m.shard(s.TokenHash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.gen != before.shard {
		return
	}
	if at, ok := sh.index[key(s.TokenHash)]; ok {
		sh.at(at).set(s)
		return
	}
	at, id, seen, evicted := sh.room()
	sh.at(at).set(s)
	sh.index[key(s.TokenHash)] = at
	return id, seen, evicted
}

func (e *entry) set(s Session) {
	e.hash, e.id, e.user = s.TokenHash, s.ID, s.User
	e.created, e.expires, e.idle, e.fresh = s.CreatedMicros, s.ExpiresMicros, s.IdleMicros, s.FreshMicros
	e.seen.Store(s.LastSeenMicros)
	e.pushed.Store(s.LastSeenMicros)
	e.used.Store(true)
	e.flags = 0
	if s.Remembered {
		e.flags |= flagRemembered
	}
	if s.Bearer {
		e.flags |= flagBearer
	}
}

// room finds a place in the slab: a free one, a new one, or that of the next entry which was not used since the hand
// of the clock passed it.
func (sh *shard) room() (at uint32, id identity.ID, seen int64, evicted bool) {
	if n := len(sh.free); n > 0 {
		at, sh.free = sh.free[n-1], sh.free[:n-1]
		return
	}
	if sh.budget.take(entryCost, sh.size < minPer) {
		if sh.size%chunkSize == 0 {
			sh.slab = append(sh.slab, make([]entry, chunkSize))
		}
		sh.size++
		return sh.size - 1, id, 0, false
	}
	for {
		at = sh.hand
		sh.hand = (sh.hand + 1) % sh.size
		e := sh.at(at)
		if e.used.Swap(false) {
			continue
		}
		delete(sh.index, key(e.hash))
		seen = e.seen.Load()
		return at, e.id, seen, seen > e.pushed.Load()
	}
}

func (m *mirror) lastSeen(hash Hash) int64 {
	sh := m.shard(hash)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if e := sh.find(hash); e != nil {
		return e.seen.Load()
	}
	return 0
}

// invalidate is called by the store after a COMMIT and before anybody hears of it.
func (m *mirror) invalidate(inv Invalidation) {
	if inv.All {
		for i := range m.shards {
			m.shards[i].clear()
		}
		m.people.clear()
		return
	}
	for _, hash := range inv.Sessions {
		m.shard(hash).remove(hash)
	}
	if inv.People {
		m.people.clear()
	}
	m.people.remove(inv.Users)
}

func (sh *shard) remove(hash Hash) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.gen++
	if e := sh.find(hash); e != nil {
		sh.free = append(sh.free, sh.index[key(hash)])
		delete(sh.index, key(hash))
		e.hash = Hash{}
	}
}

func (sh *shard) clear() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.gen++
	sh.budget.give(int64(sh.size) * entryCost)
	sh.index = map[keyOf]uint32{}
	sh.slab, sh.size, sh.free, sh.hand = nil, 0, nil, 0
}

// people are the owners of mirrored sessions. They change rarely, so one lock serves.
type people struct {
	gen    atomic.Uint64
	mu     sync.RWMutex
	byID   map[identity.ID]*Person
	budget *budget
}

// costOf is what a person takes of the budget. A role can have many permissions, so their text is counted.
func costOf(person *Person) int64 { return personCost + int64(len(person.Permissions)) }

func (p *people) find(id identity.ID) (*Person, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	person, ok := p.byID[id]
	return person, ok
}

func (p *people) insert(person *Person, before uint64) {
	p.mu.RLock()
	_, have := p.byID[person.ID]
	p.mu.RUnlock()
	if have {
		return // true since its load: else it had been removed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gen.Load() != before {
		return
	}
	if _, have := p.byID[person.ID]; have {
		return
	}
	for id, other := range p.byID { // whoever comes first: the order of a map is random
		if p.budget.take(costOf(person), false) {
			p.byID[person.ID] = person
			return
		}
		delete(p.byID, id)
		p.budget.give(costOf(other))
	}
	p.budget.take(costOf(person), true)
	p.byID[person.ID] = person
}

func (p *people) remove(ids []identity.ID) {
	if len(ids) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gen.Add(1)
	for _, id := range ids {
		if person, ok := p.byID[id]; ok {
			delete(p.byID, id)
			p.budget.give(costOf(person))
		}
	}
}

func (p *people) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gen.Add(1)
	for _, person := range p.byID {
		p.budget.give(costOf(person))
	}
	p.byID = map[identity.ID]*Person{}
}
