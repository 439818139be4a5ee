package password

import (
	"context"
	"crypto/rand"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/password/internal/lane"
)

// Hasher hashes and verifies in a [Queue]. It is safe for concurrent use.
//
// All its methods wait for a slot and return [*Busy], [ErrClosed] or the context's error if they get none. A job that has begun is
// carried to its end.
type Hasher struct {
	queue  *Queue
	params Params
	decoy  stored
	blocks blockPool
	least  atomic.Int64 // time of the quickest hash so far, in nanoseconds
	burden burden
	large  sync.Mutex // held by the one hash that takes more memory than a slot should
}

// NewHasher returns a hasher that makes hashes of the given cost; the zero Params is [DefaultParams]. The errors are that of
// [Params.Check] and [ErrSelfTest].
func NewHasher(queue *Queue, params Params) (*Hasher, error) {
	if err := params.Check(); err != nil {
		return nil, err
	}
	var memory lane.Memory
	defer memory.Release()
	if err := selfTest(memory.Key); err != nil {
		return nil, err
	}
	h := &Hasher{queue: queue, params: params.orDefault()}
	h.decoy = stored{params: h.params, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	_, _ = rand.Read(h.decoy.salt)
	_, _ = rand.Read(h.decoy.key) // nobody knows a password with this key
	return h, nil
}

// Params is the cost of the hashes that are made.
func (h *Hasher) Params() Params { return h.params }

// Hash is [Hash] in the queue. known says that whoever asks has proved something: a mailed link, or the current password.
func (h *Hasher) Hash(ctx context.Context, class Class, known bool, password string) (phc string, err error) {
	if len(password) > maxBytes {
		return "", ErrTooLong
	}
	err = h.do(ctx, class, known, func(memory *lane.Memory) (err error) {
		phc, err = hash(memory, password, h.params)
		return err
	})
	return phc, err
}

// Verify is [Verify] in the queue. known says that a known device or a registered client asks. Every check does the same work, that of
// [Hasher.VerifyNobody]: also where phc is malformed, was made with cheaper parameters or by another system (see [Hasher.Prepare]), and where
// the password is right. So time does not tell who has an account, nor since when.
func (h *Hasher) Verify(ctx context.Context, class Class, known bool, phc, password string) (ok, rehash bool, err error) {
	if len(password) > maxBytes {
		return false, false, nil
	}
	s, malformed := parseAny(phc)
	if malformed != nil {
		s = h.decoy
	}
	err = h.do(ctx, class, known, func(memory *lane.Memory) (err error) {
		ok, err = h.check(memory, s, password)
		return err
	})
	if err == nil && malformed != nil {
		return false, false, malformed
	}
	ok = ok && err == nil
	return ok, ok && s.renewable(password, h.params), err
}

// unmeasured is what a hash is taken to need until one was made: what the default cost needs on a slow core.
const unmeasured = 100 * time.Millisecond

// PerMinute is how many hashes the slots can make in a minute, by the quickest that was made so far: what the machine can do
// while nothing disturbs it, so that a flood does not make it look slower. On Linux what other threads take is not counted.
func (h *Hasher) PerMinute() int64 {
	one := time.Duration(h.least.Load())
	if one <= 0 {
		one = unmeasured
	}
	return max(int64(h.queue.Slots())*int64(time.Minute/one), 1)
}

func (h *Hasher) measure(took time.Duration) {
	for {
		least := h.least.Load()
		if least != 0 && least <= int64(took) || h.least.CompareAndSwap(least, max(int64(took), 1)) {
			return
		}
	}
}

// Room is [Queue.Room].
func (h *Hasher) Room(ctx context.Context, class Class, known bool) (in context.Context, leave func(), err error) {
	return h.queue.Room(ctx, class, known)
}

// VerifyNobody does the work of a failed Verify for an account that there is not. It returns only the errors of the queue.
func (h *Hasher) VerifyNobody(ctx context.Context, class Class, known bool, password string) error {
	_, _, err := h.Verify(ctx, class, known, h.decoy.String(), password)
	return err
}

func (h *Hasher) do(ctx context.Context, class Class, known bool, job func(*lane.Memory) error) error {
	var failed error
	err := h.queue.Do(ctx, class, known, func() {
		memory := h.blocks.take()
		defer h.blocks.put(memory)
		runtime.LockOSThread() // it is the thread that has the clock
		defer runtime.UnlockOSThread()
		began := threadTime()
		if failed = job(memory); failed == nil {
			h.measure(threadTime() - began)
		}
	})
	if err != nil {
		return err
	}
	return failed
}
