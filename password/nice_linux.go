package password

import (
	"runtime"

	"golang.org/x/sys/unix"
)

const niceness = 10

// niceThread makes the calling thread, which must be locked to its goroutine for ever, less important than the process by niceness.
func niceThread() bool {
	id := unix.Gettid()
	twenty, err := unix.Getpriority(unix.PRIO_PROCESS, id) // the kernel answers 20 - nice
	if err != nil {
		return false
	}
	return unix.Setpriority(unix.PRIO_PROCESS, id, min(20-twenty+niceness, 19)) == nil
}

// canNiceThreads tries it on a thread that ends at once.
func canNiceThreads() bool {
	answer := make(chan bool)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		answer <- niceThread()
	}()
	return <-answer
}
