package sessions_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
)

// crowd is a store that has a session for every token, of as many people as it says.
type crowd struct{ people int }

func (c crowd) SessionByHash(_ context.Context, hash sessions.Hash) (s sessions.Session, p sessions.Person, err error) {
	now := time.Now().UnixMicro()
	s = sessions.Session{ID: identity.ID(hash[16:]), TokenHash: hash, CreatedMicros: now, LastSeenMicros: now, ExpiresMicros: now + 3600_000_000, IdleMicros: 3600_000_000}
	person := (int(hash[0])<<16 | int(hash[1])<<8 | int(hash[2])) % c.people
	s.User = identity.ID{1, byte(person >> 16), byte(person >> 8), byte(person)}
	return s, sessions.Person{ID: s.User, Email: "somebody-" + hex.EncodeToString(s.User[:4]) + "@example.org", DisplayName: "Somebody Else", Roles: []string{"member"}}, nil
}

func (crowd) TouchSessions(context.Context, []sessions.Touch) error { return nil }
func (crowd) OnInvalidate(func(sessions.Invalidation)) bool         { return true }

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Whoever can sign in often enough must not be able to fill the memory of the server.
func TestTheMirrorKeepsToItsMemory(t *testing.T) {
	const bound, asked = 8 << 20, 150_000
	for _, people := range []int{asked * 10, asked / 10} { // everybody has one session, and ten
		before := heap()
		m := sessions.New(crowd{people}, sessions.Options{Idle: time.Hour, Absolute: time.Hour, CacheBytes: bound, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			m.Run(ctx)
			close(ended)
		}()
		for i := range asked {
			sum := sha256.Sum256([]byte{byte(i >> 16), byte(i >> 8), byte(i)})
			token := hex.EncodeToString(sum[:])
			if _, _, err := m.Find(ctx, token+token); err != nil {
				t.Fatalf("Find = %v", err)
			}
		}
		stop()
		<-ended
		if held := heap() - before; held > bound {
			t.Errorf("%d sessions of %d people hold %d bytes of the heap, want at most %d", asked, people, held, bound)
		} else if held < bound/2 {
			t.Errorf("%d sessions of %d people hold %d bytes of the heap: the mirror keeps hardly anything of its %d", asked, people, held, bound)
		}
		runtime.KeepAlive(m)
	}
}
