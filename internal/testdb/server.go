package testdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a PostgreSQL of a test's own, which it may stop and start. It ends with the test, and with the test's
// process however that ends.
type Server struct {
	t        testing.TB
	binaries string
	folder   string
	runAs    *syscall.Credential // nil: as we are
	address  string
	url      string
	running  *exec.Cmd
	hold     io.Closer // the server runs as long as this is open
}

// OwnServer starts a PostgreSQL on a free port of 127.0.0.1. The newest of Debian's is taken, or else that in PATH.
func OwnServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t}
	t.Cleanup(s.remove)
	for _, step := range []func() error{s.find, s.settle, s.initialise, s.run} {
		if err := step(); err != nil {
			t.Fatalf("start a PostgreSQL of the test's own: %v", err)
		}
	}
	return s
}

func (s *Server) find() error {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return err
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // what is no number is old
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) == 0 {
		inPath, err := exec.LookPath("initdb")
		if err != nil {
			return fmt.Errorf("no initdb: run the tests with `make test`, which installs PostgreSQL: %w", err)
		}
		found = []string{inPath}
	}
	s.binaries = filepath.Dir(found[0])
	return nil
}

// settle makes the folder, and finds somebody else to run as, because PostgreSQL refuses to run as root.
func (s *Server) settle() (err error) {
	// Not t.TempDir, which is closed to others.
	if s.folder, err = os.MkdirTemp("", "ringwall-postgres-"); err != nil || os.Geteuid() != 0 {
		return err
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.runAs = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.folder, int(uid), int(gid))
}

func (s *Server) command(name string, arguments ...string) *exec.Cmd {
	c := exec.Command(name, arguments...) // #nosec G204 -- a program of PostgreSQL, with arguments of ours
	c.Dir = s.folder
	c.Env = []string{"LC_ALL=C", "HOME=" + s.folder, "PATH=" + s.binaries + ":/usr/bin:/bin"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.runAs}
	return c
}

func (s *Server) initialise() error {
	secret := rand.Text()
	file := filepath.Join(s.folder, "password")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		return err
	}
	if s.runAs != nil {
		if err := os.Chown(file, int(s.runAs.Uid), int(s.runAs.Gid)); err != nil {
			return err
		}
	}
	initdb := s.command(filepath.Join(s.binaries, "initdb"), "-D", filepath.Join(s.folder, "data"), "-U", "postgres", "-A", "scram-sha-256",
		"--pwfile="+file, "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	var err error
	s.address, err = freeAddress()
	s.url = "postgres://postgres:" + secret + "@" + s.address + "/postgres?sslmode=disable"
	return err
}

// freeAddress is one whose port is below those that the system hands out itself: nobody's connection has it when the server starts again.
func freeAddress() (string, error) {
	var last error
	for range 20 {
		var n [2]byte
		_, _ = rand.Read(n[:])
		free, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+binary.BigEndian.Uint16(n[:])%12_000))
		if err == nil {
			return free.Addr().String(), free.Close()
		}
		last = err
	}
	return "", last
}

// untilTold runs a command until its own input ends, then ends the command as a crash would, without waiting for anybody.
const untilTold = `"$@" >server.log 2>&1 & server=$!
read -r _
kill -QUIT "$server" 2>/dev/null
wait "$server"`

func (s *Server) run() error {
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	s.running = s.command("/bin/sh", "-c", untilTold, "sh", filepath.Join(s.binaries, "postgres"), "-D", filepath.Join(s.folder, "data"),
		"-c", "listen_addresses=127.0.0.1", "-p", port, "-c", "unix_socket_directories=", "-c", "max_connections=100", "-c", "fsync=off", "-c", "full_page_writes=off")
	if s.hold, err = s.running.StdinPipe(); err != nil {
		return err
	}
	if err := s.running.Start(); err != nil {
		return err
	}
	db, err := sql.Open("pgx", s.url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := db.PingContext(ctx)
		cancel()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.folder, "server.log")) // #nosec G304 -- the log of the server that we started
			return fmt.Errorf("it does not answer: %w\n%s", err, log)
		}
	}
}

// Stop ends the server as a crash would: connections break, and nobody is waited for. What was committed stays.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.stop(); err != nil {
		s.t.Fatalf("stop PostgreSQL: %v", err)
	}
}

func (s *Server) stop() error {
	if s.running == nil {
		return nil
	}
	err := s.hold.Close()
	waited := s.running.Wait()
	s.running = nil
	if _, ended := errors.AsType[*exec.ExitError](waited); ended {
		waited = nil // it was told to
	}
	return errors.Join(err, waited)
}

// Start starts the server again, on the same port, after [Server.Stop].
func (s *Server) Start() {
	s.t.Helper()
	if err := s.run(); err != nil {
		s.t.Fatalf("start PostgreSQL again: %v", err)
	}
}

// Address is the host and port that it listens on.
func (s *Server) Address() string { return s.address }

// Database is a fresh, migrated database on this server.
func (s *Server) Database() DB {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	admin, err := sql.Open("pgx", s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	template, err := ensureTemplate(ctx, s.url)
	name := "ringwall_test_" + strings.ToLower(rand.Text())
	if err == nil {
		_, err = admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+" OWNER "+OwnerRole)
	}
	if err != nil {
		s.t.Fatalf("make a database on the test's own PostgreSQL: %v", err)
	}
	return DB{Engine: "postgres", DSN: dsn(s.url, name, RuntimeRole), OwnerDSN: dsn(s.url, name, OwnerRole), AdminDSN: dsn(s.url, name, "")}
}

func (s *Server) remove() {
	if err := s.stop(); err != nil {
		s.t.Errorf("stop PostgreSQL: %v", err)
	}
	if s.folder != "" {
		if err := os.RemoveAll(s.folder); err != nil {
			s.t.Errorf("remove the test's own PostgreSQL: %v", err)
		}
	}
}
