package secret

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

const maxKeyFile = 1024

// ReadMasterKey reads the file that [MakeMasterKey] or "openssl rand -hex 32" wrote, in the form of [ParseMasterKey]. It refuses
// a file that anybody but its owner can read (modes 0600 and 0400 pass; on Windows the mode says nothing, so see to its
// access list), and what is no regular file; the error tells the mend. A missing file is [fs.ErrNotExist].
func ReadMasterKey(path string) (MasterKey, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return MasterKey{}, fmt.Errorf("read master key: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat() // of what is open, not of what the name means a moment later
	if err != nil {
		return MasterKey{}, fmt.Errorf("read master key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return MasterKey{}, fmt.Errorf("master key %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 && mode != 0o400 {
		return MasterKey{}, fmt.Errorf("master key %s has mode %04o, not 0600 or 0400: run: chmod 600 %s (and make a new key if others may have read this one)", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return MasterKey{}, fmt.Errorf("read master key: %w", err)
	}
	switch {
	case len(text) == 0:
		return MasterKey{}, fmt.Errorf("master key %s is empty: restore it from a backup, or remove it if nothing was ever stored with it", path)
	case len(text) > maxKeyFile:
		return MasterKey{}, fmt.Errorf("master key %s is longer than %d bytes: it holds something else", path, maxKeyFile)
	}
	key, err := ParseMasterKey(NewText(string(text)))
	if err != nil {
		return MasterKey{}, fmt.Errorf("read %s: %w", path, err)
	}
	return key, nil
}

// MakeMasterKey draws a key and writes it to a new file (0600), in a folder that it makes (0700) if there is none. It never
// replaces a file: that is [fs.ErrExist]. When it returns, the key is on disk.
func MakeMasterKey(path string) (MasterKey, error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return MasterKey{}, fmt.Errorf("make master key: %w", err)
	}
	bytes := make([]byte, keyBytes)
	rand.Read(bytes) // never fails
	text := hex.EncodeToString(bytes)
	key, err := ParseMasterKey(NewText(text))
	if err != nil {
		return MasterKey{}, fmt.Errorf("make master key: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- the operator names the file
	if err != nil {
		return MasterKey{}, fmt.Errorf("make master key: %w", err)
	}
	if err := writeDurably(file, folder, text+"\n"); err != nil {
		_ = os.Remove(path) // it is ours and holds nothing whole
		return MasterKey{}, fmt.Errorf("make master key: %w", err)
	}
	return key, nil
}

func writeDurably(file *os.File, folder, text string) error {
	_, err := file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	dir, err := os.Open(folder) // #nosec G304 -- the folder of the operator's file
	if err != nil {
		return err
	}
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && runtime.GOOS != "windows" {
		return errors.Join(err, dir.Close())
	}
	return dir.Close()
}
