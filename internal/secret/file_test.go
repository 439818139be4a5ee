package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall/internal/secret"
)

func TestMakeMasterKey(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(folder, "master.key")
	made, err := secret.MakeMasterKey(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, folder: fs.ModeDir | 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("mode of %s is %v (%v), want %v", filepath.Base(name), info.Mode(), err, want)
		}
	}
	read, err := secret.ReadMasterKey(path)
	if err != nil || read.Fingerprint() != made.Fingerprint() || read.Fingerprint() == "" {
		t.Errorf("ReadMasterKey = %s, %v; made %s", read.Fingerprint(), err, made.Fingerprint())
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secret.MakeMasterKey(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("MakeMasterKey over a key = %v, want %v", err, fs.ErrExist)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Error("MakeMasterKey touched a key that was there")
	}
}

func TestMakeMasterKeyHasOneWinner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	var made atomic.Int32
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			if _, err := secret.MakeMasterKey(path); err == nil {
				made.Add(1)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 {
		t.Errorf("%d of 16 made the key", made.Load())
	}
}

func TestReadMasterKeyRefusesOtherModes(t *testing.T) {
	for mode := fs.FileMode(0); mode <= 0o777; mode++ {
		allowed := mode == 0o600 || mode == 0o400
		if mode&0o400 == 0 && os.Getuid() != 0 {
			continue // nobody can read it
		}
		path := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(path, []byte(masterHex), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := secret.ReadMasterKey(path)
		if (err == nil) != allowed {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: the error does not tell the mend: %v", mode, err)
		}
	}
}

func TestReadMasterKeyRefusesWhatIsNoKeyFile(t *testing.T) {
	folder := t.TempDir()
	if _, err := secret.ReadMasterKey(filepath.Join(folder, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file = %v", err)
	}
	if _, err := secret.ReadMasterKey(folder); err == nil {
		t.Error("a folder is accepted")
	}
	for name, content := range map[string]string{"empty": "", "long": strings.Repeat("ab", 5000), "two": masterHex + "\n" + masterHex} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.ReadMasterKey(path); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestParseMasterKey(t *testing.T) {
	raw, err := hex.DecodeString(masterHex)
	if err != nil {
		t.Fatal(err)
	}
	want := master(t, masterHex).Fingerprint()
	for _, text := range []string{
		masterHex, strings.ToUpper(masterHex), " " + masterHex + "\r\n",
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	} {
		if key, err := secret.ParseMasterKey(secret.NewText(text)); err != nil || key.Fingerprint() != want {
			t.Errorf("ParseMasterKey of a good key = %v, %v", key.Fingerprint(), err)
		}
	}
}

func TestParseMasterKeyRefusesWeakKeys(t *testing.T) {
	up := make([]byte, 32)
	for i := range up {
		up[i] = byte(i * 7)
	}
	tests := []struct {
		name string
		key  string
		weak bool
	}{
		{"nothing", "", false},
		{"a passphrase", "correct horse battery staple", false},
		{"an example that was copied", "CHANGE-ME", false},
		{"31 bytes", masterHex[:62], false},
		{"33 bytes", masterHex + "ab", false},
		{"16 bytes", masterHex[:32], false},
		{"zeros", strings.Repeat("00", 32), true},
		{"equal bytes", strings.Repeat("a7", 32), true},
		{"two bytes in turn", strings.Repeat("a7b8", 16), true},
		{"a repeated half", masterHex[:32] + masterHex[:32], true},
		{"counted up", hex.EncodeToString(up), true},
		{"few different bytes", strings.Repeat("00112233445566778899aa", 3)[:64], true},
		{"text in base64", base64.StdEncoding.EncodeToString([]byte("this is my most secret password!")), true},
	}
	for _, tt := range tests {
		_, err := secret.ParseMasterKey(secret.NewText(tt.key))
		if err == nil || errors.Is(err, secret.ErrWeakMaster) != tt.weak {
			t.Errorf("ParseMasterKey of %s = %v", tt.name, err)
			continue
		}
		if !strings.Contains(err.Error(), "openssl rand -hex 32") {
			t.Errorf("%s: the error does not tell the mend: %v", tt.name, err)
		}
		if tt.key != "" && strings.Contains(err.Error(), tt.key) {
			t.Errorf("%s: the error repeats the key", tt.name)
		}
	}
}

func FuzzParseMasterKey(f *testing.F) {
	f.Add(masterHex)
	f.Add("")
	f.Add("Zm9v")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := secret.ParseMasterKey(secret.NewText(text))
		if (err == nil) == key.IsZero() {
			t.Errorf("ParseMasterKey = %v with a key: %v", err, !key.IsZero())
		}
	})
}
