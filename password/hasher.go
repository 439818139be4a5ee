package password

import (
	"context"
	"crypto/rand"

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

// Verify is [Verify] in the queue. known says that a known device or a registered client asks. A failure does at least the work of a
// [Hasher.VerifyNobody], also where phc is malformed or was made with cheaper parameters, so that time does not tell who has an account.
func (h *Hasher) Verify(ctx context.Context, class Class, known bool, phc, password string) (ok, rehash bool, err error) {
	if len(password) > maxBytes {
		return false, false, nil
	}
	s, malformed := parse(phc)
	if malformed != nil {
		s = h.decoy
	}
	err = h.do(ctx, class, known, func(memory *lane.Memory) (err error) {
		ok, err = s.matches(memory, password)
		if rest, more := h.rest(s.params); !ok && more && err == nil {
			_, err = derive(memory, password, stored{params: rest, salt: h.decoy.salt}, keyBytes)
		}
		return err
	})
	if err == nil && malformed != nil {
		return false, false, malformed
	}
	ok = ok && err == nil
	return ok, ok && s.outdated(h.params), err
}

// Room is [Queue.Room].
func (h *Hasher) Room(class Class, known bool) error { return h.queue.Room(class, known) }

// VerifyNobody does the work of a failed Verify for an account that there is not. It returns only the errors of the queue.
func (h *Hasher) VerifyNobody(ctx context.Context, class Class, known bool, password string) error {
	_, _, err := h.Verify(ctx, class, known, h.decoy.String(), password)
	return err
}

// rest is the work by which a hash of the current parameters exceeds one of old: with as many passes, in less memory.
func (h *Hasher) rest(old Params) (Params, bool) {
	if old.work() >= h.params.work() {
		return Params{}, false
	}
	rest := h.params
	rest.MemoryKiB = uint32((h.params.work() - old.work()) / uint64(h.params.Time)) // #nosec G115 -- less than h.params.MemoryKiB
	return rest, rest.storable()
}

func (h *Hasher) do(ctx context.Context, class Class, known bool, job func(*lane.Memory) error) error {
	var failed error
	err := h.queue.Do(ctx, class, known, func() {
		memory := h.blocks.take()
		defer h.blocks.put(memory)
		failed = job(memory)
	})
	if err != nil {
		return err
	}
	return failed
}
