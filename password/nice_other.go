//go:build !linux

package password

func niceThread() bool { return false }

func canNiceThreads() bool { return false }
