package ringwall

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringwall/ringwall/internal/secret"
)

// masterKey reads the key, or makes it where a single machine keeps its own.
func (o Options) masterKey() (secret.MasterKey, error) {
	if !o.MasterKey.IsZero() {
		return fit(secret.ParseMasterKey(o.MasterKey))
	}
	path, sqlite := o.MasterKeyFile, strings.HasPrefix(o.Database, "sqlite:")
	if path == "" && !sqlite {
		return fit(secret.MasterKey{}, errors.New("the master key is missing: set MasterKey or MasterKeyFile, the same on every node (32 random bytes: openssl rand -hex 32)"))
	}
	if path == "" {
		path = filepath.Join(filepath.Dir(strings.TrimPrefix(o.Database, "sqlite:")), "master.key")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if _, err := os.Stat(strings.TrimPrefix(o.Database, "sqlite:")); err == nil {
				return fit(secret.MasterKey{}, fmt.Errorf("the database is there, but its master key %s is not: restore the key, without it nothing sealed can be read", path))
			}
			return secret.MakeMasterKey(path)
		}
	}
	return fit(secret.ReadMasterKey(path))
}

// fit has a key that was given and cannot be used be an option that is not fit to start with.
func fit(key secret.MasterKey, err error) (secret.MasterKey, error) {
	if err != nil {
		err = &OptionsError{err}
	}
	return key, err
}
