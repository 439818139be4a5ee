// Package password hashes passwords with Argon2id, says which are too weak to accept, and lets only as many be hashed at a time as
// the machine bears.
//
// A server makes one queue and one hasher for its lifetime, and one policy:
//
//	queue, err := password.NewQueue(password.QueueOptions{}) // as many slots as cores and memory allow
//	hasher, err := password.NewHasher(queue, password.Params{}) // Argon2id, 64 MiB, three passes
//	defer queue.Close(ctx)
//
//	err = password.Policy{}.Check(chosen, "Example Shop", email, name) // *Weak: what is wrong and what would pass
//	phc, err := hasher.Hash(ctx, password.Other, false, chosen)               // store it
//	ok, rehash, err := hasher.Verify(ctx, password.SignIn, known, phc, typed)
//	err = hasher.VerifyNobody(ctx, password.SignIn, known, typed) // there is no such account: the same work
//
// Verify's rehash says that the password was right and its hash was made with other parameters: hash it again and store that. [Hash]
// and [Verify] are the same without the queue, for tools and tests.
//
// # Passwords
//
// A password is any text. It is brought into Unicode normal form NFC, so that it is the same from every keyboard; nothing is
// trimmed, folded or cut, and NUL is a character like any other. More than 4,096 bytes are never hashed. Hashes are PHC strings,
//
//	$argon2id$v=19$m=65536,t=3,p=1$<salt, 16 bytes>$<key, 32 bytes>
//
// read strictly: one spelling, and bounds that hold before any memory is taken (m up to 256 MiB, m·t up to 2 GiB, p up to 16).
//
// # Hashes of other systems
//
// [Adopt] takes bcrypt, scrypt, Firebase scrypt, PBKDF2 and every Argon2, each within bounds of about a second and 128 MiB, which hold again
// whenever a hash is read; Verify checks them, and says that they should be made again. They are compared with the password as it was typed,
// without NFC, as the other systems did. bcrypt reads 72 bytes: a longer password is right by these, and then no reason to make the hash again,
// because its end was never checked. One with a NUL is wrong for bcrypt, whose implementations stop there or repeat themselves.
//
// Such a check takes another time than one of ours. So that time does not tell whose account came from elsewhere, nor that there is one, [Hasher.Prepare]
// takes the sorts that there are, and every check then does the same work for everybody, in the same slot: one Argon2id, and of each family the
// dearest that anybody has. What is cheaper is filled up. The price is that time for each sign-in until the last of them is gone; padding with sleep would save
// it, but show under load. What remains: where families are filled up with pieces, the times agree within some percent, not to the cycle;
// and a sort that appears while a server runs is borne by it from its next look, or from the first check that meets one. Hashes of more than
// a slot's memory run one at a time.
//
// # The queue
//
// A hash takes a core and 64 MiB for a tenth of a second, so strangers who sign in decide over both. [Queue] runs at most so many
// jobs at a time as it has slots, keeps four times as many waiting, first in first out and for at most two seconds, and answers [*Busy] at once
// to whatever is beyond. Who gives up (the context is done) is out of the queue at once. Nobody starves:
//
//   - While sign-ins wait, everything else ([Other]: sign-up, reset, change) takes at most one slot, or every other turn of the only
//     slot; and when the queue is full, a sign-in takes the place of the [Other] that came last, but never of the one that waits longest.
//   - A third of the places is kept for known devices, which a flood of strangers therefore cannot lock out.
//
// Slots: as many as there are cores, at most a quarter of the memory (of the machine or of its cgroup, v1 or v2) divided by 64 MiB,
// at least one. Each is an operating system thread of its own at nice 10, so that the kernel lets every other thread of the process
// go first. Go has only GOMAXPROCS threads running Go code at a time: raise it by [Queue.NicedThreads], or the slots take the place of
// request handlers and niceness is for nothing. The package never touches it. Under a CPU quota (cgroup) niceness does not help, because
// the quota stops all threads: then, slots = max(1, whole cores of the quota - 1), not niced; on systems without niceness of threads, and
// where it is refused, max(1, cores - 1).
//
// Measured with x/crypto v0.58.0 on two cores, Linux 6.18, with 64 MiB, t=3, p=1: it does its work on goroutines of its own, so
// that niceness of the calling thread had no effect, and a process with two slots peaked at 266 to 329 MiB. In internal/lane the work
// stays on the slot's thread and in one mapped block a slot: 141 MiB with two slots, and 64 ms a hash (AVX2) where x/crypto takes 125 ms. So
// one lane, the default, runs there, and x/crypto computes p > 1, un-niced. The blocks go back to the system when no hash ran for two seconds.
//
// [Calibrate] finds the cost that takes a given time on this machine: memory first, then passes.
//
// # What it does not do
//
// No pepper: whoever stores the PHC string seals it. No look-up among leaked passwords: the policy knows 7,141 common ones, words and names
// in English, and what is made from them by doubling, digits, letter substitution, keyboard rows and sequences; ask package breach besides. It makes no
// hashes but Argon2id. No limit of attempts: that is for whoever knows account and address. Invalid UTF-8 is hashed as it stands.
package password
