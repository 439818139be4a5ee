package password_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/ringwall/ringwall/password"
)

// A whole program: one queue and one hasher for its lifetime, a weak choice refused, a good one stored and verified.
func Example() {
	ctx := context.Background()
	queue, err := password.NewQueue(password.QueueOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		stop, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := queue.Close(stop); err != nil {
			log.Print(err)
		}
	}()
	hasher, err := password.NewHasher(queue, password.Params{})
	if err != nil {
		log.Fatal(err)
	}

	// Sign-up.
	var phc string
	for _, chosen := range []string{"passwordpassword", "seven lilac tandems in orbit"} {
		err := password.Policy{}.Check(chosen, "Example Shop", "alice@example.org", "Alice")
		if weak, ok := errors.AsType[*password.Weak](err); ok {
			fmt.Println("refused:", weak.Code)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		if phc, err = hasher.Hash(ctx, password.Other, false, chosen); err != nil {
			log.Fatal(err)
		}
		fmt.Println("stored:", phc[:30])
	}

	// Sign-in.
	for _, typed := range []string{"seven lilac tandems", "seven lilac tandems in orbit"} {
		ok, rehash, err := hasher.Verify(ctx, password.SignIn, false, phc, typed)
		if busy, full := errors.AsType[*password.Busy](err); full {
			log.Fatal("503, Retry-After: ", busy.RetryAfter)
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("right:", ok, "hash again:", rehash)
	}
	// Output:
	// refused: common
	// stored: $argon2id$v=19$m=65536,t=3,p=1
	// right: false hash again: false
	// right: true hash again: false
}
