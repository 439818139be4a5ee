//go:build unix && !linux

package lane

func advise([]byte) {}
