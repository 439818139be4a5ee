package lane

import "golang.org/x/sys/unix"

// advise keeps what is derived from passwords out of core dumps and asks for large pages. Both are only wishes.
func advise(mapped []byte) {
	_ = unix.Madvise(mapped, unix.MADV_DONTDUMP)
	_ = unix.Madvise(mapped, unix.MADV_HUGEPAGE)
}
