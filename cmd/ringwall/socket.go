package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

const (
	socketName = "control.sock"
	// socketPathBytes is how long the path of a socket may be: 108 bytes on Linux, 104 elsewhere, with the NUL at its end.
	socketPathBytes = 100
)

// errNoServer says that no server answers at the data folder.
var errNoServer = errors.New("no server answers")

// withSocketPath calls use with a path of the socket that is short enough for the system: where the folder's own path
// is too long, through an open descriptor of the folder, which Linux shows as a short path.
func withSocketPath(data string, use func(path string) error) error {
	path := filepath.Join(data, socketName)
	if len(path) <= socketPathBytes {
		return use(path)
	}
	dir, err := os.Open(data) // #nosec G304 -- the operator names the folder
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	short := "/proc/self/fd/" + strconv.Itoa(int(dir.Fd()))
	if _, err := os.Stat(short); err != nil {
		return fmt.Errorf("the path %s is too long for a socket (%d bytes). Name a folder with a shorter path with --data", path, len(path))
	}
	return use(filepath.Join(short, socketName))
}

// listenSocket opens the control socket. Call it only while the lock is held: it removes what a dead server left behind.
func listenSocket(data string) (net.Listener, error) {
	path := filepath.Join(data, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the old control socket cannot be removed: %w", err)
	}
	var listener *net.UnixListener
	err := withSocketPath(data, func(short string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the control socket cannot be opened: %w", err)
	}
	listener.SetUnlinkOnClose(false) // the short path is gone by then
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("the control socket cannot be kept from others: %w", err), listener.Close())
	}
	return &peerListener{UnixListener: listener, path: path, admit: sameUser}, nil
}

// dialSocket connects to the server that holds the data folder, or returns [errNoServer].
func dialSocket(ctx context.Context, data string) (net.Conn, error) {
	var conn net.Conn
	err := withSocketPath(data, func(path string) (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("%w: %w", errNoServer, err)
	}
	return conn, err
}

// peerListener lets in only whom admit knows by the number that the kernel vouches for. The folder's mode keeps others out
// already; this holds if somebody opens it.
type peerListener struct {
	*net.UnixListener
	path  string
	admit func(uid uint32) bool
}

// sameUser admits the user of this process, and root.
func sameUser(uid uint32) bool { return uid == 0 || int64(uid) == int64(os.Geteuid()) }

// peerConn knows who is at its other end.
type peerConn struct {
	*net.UnixConn
	uid uint32
}

// Accept waits for the next connection of somebody who is let in.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peerOf(conn)
		if err != nil || !l.admit(uid) {
			_ = conn.Close()
			continue
		}
		return peerConn{conn, uid}, nil
	}
}

// Close ends listening and removes the socket.
func (l *peerListener) Close() error {
	err := l.UnixListener.Close()
	if removed := os.Remove(l.path); err == nil && !errors.Is(removed, fs.ErrNotExist) {
		err = removed
	}
	return err
}
