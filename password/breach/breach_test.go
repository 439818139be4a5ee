package breach_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/password/breach"
)

// digits is the SHA-1 of a password, as the lists have it.
func digits(password string) string {
	digest := sha1.Sum([]byte(password))
	return strings.ToUpper(hex.EncodeToString(digest[:]))
}

// The range format, as https://haveibeenpwned.com/API/v3#PwnedPasswords has it: what is sent, and what is found.
func TestRangeSendsFiveDigitsAndFindsTheRest(t *testing.T) {
	var asked atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.URL.String() + " " + r.Header.Get("Add-Padding"))
		rest := func(password string) string {
			if strings.HasSuffix(r.URL.Path, digits(password)[:5]) {
				return digits(password)[5:]
			}
			return strings.Repeat("A", 35)
		}
		fmt.Fprintf(w, "%s:0\r\n%s:3730471\r\n%s:0\r\n", strings.Repeat("0", 35), rest("password"), rest("padding only"))
	}))
	defer server.Close()
	source := breach.NewRange(server.URL + "/")
	for password, want := range map[string]bool{"password": true, "padding only": false, "never seen anywhere": false} {
		known, err := source.Breached(t.Context(), password)
		for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); { // a second may be short on a busy machine
			known, err = source.Breached(t.Context(), password)
		}
		if known != want || err != nil {
			t.Errorf("Breached(%q) = %v, %v, want %v", password, known, err, want)
		}
		if want := "GET /range/" + digits(password)[:5] + " true"; asked.Load() != want {
			t.Errorf("asked %q, want %q", asked.Load(), want)
		}
	}
}

// A server that hangs, fails, sends somewhere else, or talks nonsense without end: an error within about a second, which tells nothing of the password.
func TestRangeBearsAnyAnswer(t *testing.T) {
	done := make(chan struct{})
	for name, answer := range map[string]http.HandlerFunc{
		"hangs":       func(http.ResponseWriter, *http.Request) { <-done },
		"hangs later": func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush(); <-done },
		"fails":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"is overrun":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
		"sends elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		},
		"talks HTML":         func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>welcome to our proxy</html>") },
		"has half of a line": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, digits("password")[5:]) },
		"has no count":       func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, digits("password")[5:]+":many\n") },
		"never ends": func(w http.ResponseWriter, r *http.Request) {
			line := []byte(strings.Repeat("0", 35) + ":1\n")
			for r.Context().Err() == nil {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		},
		"has one endless line": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("A"), 10<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.CloseClientConnections()
			known, err := breach.NewRange(server.URL).Breached(t.Context(), "password")
			if known || err == nil {
				t.Fatalf("Breached = %v, %v, want an error", known, err)
			}
			if text := strings.ToUpper(err.Error()); strings.Contains(text, digits("password")[:5]) || strings.Contains(text, "RANGE/") {
				t.Errorf("the error tells what was asked: %v", err)
			}
		})
	}
	close(done)
}

// More questions than 32 at a time are not asked: strangers must not make us flood somebody else.
func TestRangeAsksFewAtATime(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.CloseClientConnections()
	source := breach.NewRange(server.URL)
	results := make(chan error, 50)
	for range 50 {
		go func() {
			_, err := source.Breached(context.Background(), "password")
			results <- err
		}()
	}
	busy := 0
	for range 50 {
		if err := <-results; errors.Is(err, breach.ErrBusy) {
			busy++
		}
	}
	close(release)
	if busy == 0 {
		t.Error("fifty at a time were asked, want at most 32")
	}
}

func build(t *testing.T, list string, kind breach.Kind) (*breach.Filter, breach.Built) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "breached")
	built, err := breach.Build(t.Context(), strings.NewReader(list), kind, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := breach.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 || f.Len() != built.Keys {
		t.Errorf("%q are left beside it, %v; it knows %d, and %d were built", left, err, f.Len(), built.Keys)
	}
	return f, built
}

func TestFilterKnowsItsListAndNothingElse(t *testing.T) {
	var text, hashes strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "password number %d\r\n", i)
		fmt.Fprintf(&hashes, "%s:%d\n", digits(fmt.Sprintf("password number %d", i)), i)
	}
	text.WriteString("Ka\u0308se\n\npassword number 7\n" + strings.Repeat("x", 1<<20) + "\nthe last") // NFD, nothing, twice, a megabyte, no end
	hashes.WriteString(strings.ToLower(digits("the last")) + "\n\nnonsense\n" + digits("Käse"))
	for kind, list := range map[breach.Kind]string{breach.Text: text.String(), breach.SHA1: hashes.String()} {
		for _, told := range []breach.Kind{kind, breach.Auto} {
			f, built := build(t, list, told)
			if built.Keys != 5002 || built.Skipped != 2 {
				t.Errorf("%s as %s: %+v, want 5002 passwords and 2 lines passed over", kind, told, built)
			}
			for i := range 5000 {
				if known, err := f.Breached(t.Context(), fmt.Sprintf("password number %d", i)); !known || err != nil {
					t.Fatalf("%s: number %d = %v, %v", kind, i, known, err)
				}
				if known, err := f.Breached(t.Context(), fmt.Sprintf("a good password %d", i)); known || err != nil {
					t.Fatalf("%s: a good one = %v, %v", kind, known, err)
				}
			}
			for _, typed := range []string{"Käse", "Ka\u0308se", "the last"} {
				if known, err := f.Breached(t.Context(), typed); !known || err != nil {
					t.Errorf("%s: %q = %v, %v", kind, typed, known, err)
				}
			}
		}
	}
	if f, _ := build(t, "", breach.Auto); f.Len() != 0 {
		t.Error("a file of nothing knows something")
	} else if known, err := f.Breached(t.Context(), "password"); known || err != nil {
		t.Errorf("a file of nothing = %v, %v", known, err)
	}
}

// Many small runs make the same file as one large one.
func TestRunsAreMerged(t *testing.T) {
	var list strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&list, "%d\n", i%700)
	}
	var files [2][]byte
	for i, most := range []int{7, 1 << 20} {
		path := filepath.Join(t.TempDir(), "breached")
		if _, err := breach.BuildInRuns(t.Context(), strings.NewReader(list.String()), path, most); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) || len(files[0]) != 24+700*8 {
		t.Errorf("%d and %d bytes, or different ones; want 700 keys", len(files[0]), len(files[1]))
	}
}

func TestOpenRefusesWhatIsNotWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "breached")
	if _, err := breach.Build(t.Context(), strings.NewReader("one\ntwo\nthree\n"), breach.Text, path, nil); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"nothing": nil, "cut off": whole[:len(whole)-1], "a key less": whole[:len(whole)-8], "more": append(bytes.Clone(whole), make([]byte, 8)...),
		"another head": append([]byte("x"), whole[1:]...), "a list": []byte("password\n123456\nqwertyuiop\n12345678\n"),
		"a great count": append(append(bytes.Clone(whole[:16]), bytes.Repeat([]byte{0xff}, 8)...), whole[24:]...),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := breach.Open(path); !errors.Is(err, breach.ErrFile) {
			t.Errorf("%s = %v, want ErrFile", name, err)
		}
	}
	if _, err := breach.Open(path + "-none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file = %v", err)
	}
	// An interrupted build leaves what was there.
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := breach.Build(gone, strings.NewReader("four\n"), breach.Text, path, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted build = %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
		t.Errorf("an interrupted build changed the file: %v", err)
	}
}
