package settings_test

import (
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/settings"
)

var update = flag.Bool("update", false, "write docs/settings.md anew")

func TestEveryDefaultAndExamplePasses(t *testing.T) {
	if _, faults := settings.Read(nil, nil); len(faults) > 0 {
		t.Fatalf("Read(nil, nil) finds faults in the defaults: %v", faults)
	}
	seen := map[string]bool{}
	for _, s := range settings.Table() {
		if seen[s.Name] {
			t.Errorf("%s stands twice in the table", s.Name)
		}
		seen[s.Name] = true
		if s.Help == "" || s.Users == 0 || s.Example == "" || !strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s lacks a sentence of help, an example or its users", s.Name)
		}
		for _, value := range []string{s.Default, s.Example} {
			if value == "" {
				continue
			}
			if _, faults := settings.Read(nil, []string{s.Variable() + "=" + value}); len(faults) > 0 {
				t.Errorf("%s=%s is refused: %v", s.Variable(), value, faults)
			}
		}
	}
}

func TestDocumentIsUpToDate(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "settings.md")
	if *update {
		if err := os.WriteFile(path, []byte(settings.Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(settings.Markdown(), string(have)); diff != "" {
		t.Errorf("docs/settings.md is not that of the table; run: go test ./internal/settings -update\n%s", diff)
	}
}

func TestPrecedenceAndProvenance(t *testing.T) {
	file := secretFile(t, "10.9.9.9:9\n", 0o600)
	tests := []struct {
		name    string
		flags   map[string]string
		environ []string
		addr    string
		from    string
	}{
		{"the default stands alone", nil, nil, "127.0.0.1:8080", "default"},
		{"an empty variable is no value", nil, []string{"RINGWALL_ADDR="}, "127.0.0.1:8080", "default"},
		{"a variable before the default", nil, []string{"RINGWALL_ADDR=10.0.0.1:1"}, "10.0.0.1:1", "RINGWALL_ADDR"},
		{"a file before the default", nil, []string{"RINGWALL_ADDR_FILE=" + file}, "10.9.9.9:9", "RINGWALL_ADDR_FILE"},
		{"a flag before a variable", map[string]string{"ADDR": "10.0.0.2:2"}, []string{"RINGWALL_ADDR=10.0.0.1:1"}, "10.0.0.2:2", "--addr"},
		{"a flag before a file", map[string]string{"ADDR": "10.0.0.2:2"}, []string{"RINGWALL_ADDR_FILE=" + file}, "10.0.0.2:2", "--addr"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, faults := settings.Read(tt.flags, tt.environ)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			if v.Addr != tt.addr || v.Source("ADDR").From != tt.from {
				t.Errorf("ADDR = %q from %q, want %q from %q", v.Addr, v.Source("ADDR").From, tt.addr, tt.from)
			}
			if given := tt.from != "default"; v.Source("ADDR").Given() != given {
				t.Errorf("Given() = %v, want %v", !given, given)
			}
		})
	}
}

func TestEachKindIsRead(t *testing.T) {
	v, faults := settings.Read(nil, []string{
		"RINGWALL_ORIGINS= https://a.example , https://b.example",
		"RINGWALL_TRUSTED_PROXIES=127.0.0.1, 10.0.0.0/8,::1",
		"RINGWALL_SESSION_IDLE=90s", "RINGWALL_SESSION_MAX=7", "RINGWALL_SESSION_CACHE=3KiB", "RINGWALL_LIMIT_ACCOUNT=off", "RINGWALL_LOG_LEVEL=warn",
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if diff := cmp.Diff([]string{"https://a.example", "https://b.example"}, v.Origins); diff != "" {
		t.Error(diff)
	}
	networks := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	if fmt.Sprint(v.TrustedProxies) != fmt.Sprint(networks) {
		t.Errorf("TRUSTED_PROXIES = %v, want %v", v.TrustedProxies, networks)
	}
	if v.SessionIdle != 90*time.Second || v.SessionMax != 7 || v.SessionCacheBytes != 3072 || v.LimitAccount != (settings.Limit{}) || v.LogLevel != slog.LevelWarn {
		t.Errorf("read %+v", v)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name    string
		flags   map[string]string
		environ []string
		setting string
		mend    string
	}{
		{"a misspelt variable", nil, []string{"RINGWALL_ADRR=x"}, "RINGWALL_ADRR", "Did you mean RINGWALL_ADDR?"},
		{"a misspelt file variable", nil, []string{"RINGWALL_SMTP_FIEL=x"}, "RINGWALL_SMTP_FIEL", "Did you mean RINGWALL_SMTP_FILE?"},
		{"a variable like no other", nil, []string{"RINGWALL_ZZZZZZZZZZZZZZZZ=x"}, "RINGWALL_ZZZZZZZZZZZZZZZZ", "docs/settings.md"},
		{"a variable in the wrong case", nil, []string{"RINGWALL_addr=x"}, "RINGWALL_addr", "no such setting"},
		{"a variable and its file", nil, []string{"RINGWALL_ADDR=x", "RINGWALL_ADDR_FILE=/x"}, "RINGWALL_ADDR", "Unset one"},
		{"a duration without unit", nil, []string{"RINGWALL_SESSION_IDLE=30"}, "RINGWALL_SESSION_IDLE", "Write it as 15m"},
		{"a negative duration", nil, []string{"RINGWALL_SESSION_IDLE=-1h"}, "RINGWALL_SESSION_IDLE", "above zero"},
		{"a size that overflows", nil, []string{"RINGWALL_SESSION_CACHE=9223372036854775807GiB"}, "RINGWALL_SESSION_CACHE", "size"},
		{"a level in capitals", nil, []string{"RINGWALL_LOG_LEVEL=INFO"}, "RINGWALL_LOG_LEVEL", "debug, info, warn and error"},
		{"a network with host bits", nil, []string{"RINGWALL_TRUSTED_PROXIES=10.0.0.1/8"}, "RINGWALL_TRUSTED_PROXIES", "bits set"},
		{"an empty list entry", nil, []string{"RINGWALL_ORIGINS=https://a.example,,"}, "RINGWALL_ORIGINS", "empty entry"},
		{"a line break", nil, []string{"RINGWALL_MAIL_FROM=a@b.example\r\nBcc: c@d.example"}, "RINGWALL_MAIL_FROM", "control character"},
		{"an empty flag", map[string]string{"ADDR": ""}, nil, "--addr", "is empty"},
		{"a cheap hash", nil, []string{"RINGWALL_ARGON2ID=m=8,t=3,p=1"}, "RINGWALL_ARGON2ID", "19456"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, faults := settings.Read(tt.flags, tt.environ)
			if len(faults) != 1 || faults[0].Setting != tt.setting || !strings.Contains(faults[0].Detail, tt.mend) {
				t.Errorf("Read() = %v, want one fault of %s that says %q", faults, tt.setting, tt.mend)
			}
		})
	}
}

func TestAFaultyValueLeavesItsDefault(t *testing.T) {
	v, _ := settings.Read(nil, []string{"RINGWALL_SESSION_IDLE=x", "RINGWALL_SESSION_MAX=-1"})
	if v.SessionIdle != 30*time.Minute || v.SessionMax != 20 {
		t.Errorf("after a fault SESSION_IDLE = %v and SESSION_MAX = %d, want the defaults", v.SessionIdle, v.SessionMax)
	}
}

func TestUnusedSettingsAreNamed(t *testing.T) {
	v, _ := settings.Read(nil, []string{"RINGWALL_SMTP=smtp://h", "RINGWALL_PREFIX=/auth"})
	if diff := cmp.Diff([]string{"RINGWALL_SMTP"}, v.Unused(settings.Dev)); diff != "" {
		t.Error(diff)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, faults := settings.Read(map[string]string{"SMTP": "smtp://a:b@c"}, []string{"RINGWALL_SESSION_IDLE=x", "RINGWALL_SESSION_MAX=0", "RINGWALL_NOPE=1"})
	if len(faults) != 4 {
		t.Errorf("Read() = %v, want four faults", faults)
	}
}

// Every way in which a secret could reach a process list, a message or a log is tried with a canary.
func TestSecretsAreNeitherTakenFromFlagsNorRepeated(t *testing.T) {
	const canary = "Canary1234567890"
	readable := secretFile(t, canary, 0o644)
	long := secretFile(t, "-----BEGIN PRIVATE KEY-----\n"+canary+"\n-----END PRIVATE KEY-----\n", 0o600)
	tests := []struct {
		name    string
		flags   map[string]string
		environ []string
	}{
		{"the master key in a flag", map[string]string{"MASTER_KEY": canary}, nil},
		{"the mail server in a flag", map[string]string{"SMTP": "smtp://u:" + canary + "@h"}, nil},
		{"a database password in a flag", map[string]string{"DATABASE": "postgres://u:" + canary + "@h/d"}, nil},
		{"a database password in a flag's query", map[string]string{"DATABASE": "postgres://h/d?password=" + canary}, nil},
		{"a database password in the form of a key and value", map[string]string{"DATABASE": "host=h password=" + canary}, nil},
		{"a database password in an address that cannot be read", map[string]string{"DATABASE": "postgres://u:%zz" + canary + "@h/d"}, nil},
		{"a secret file that others can read", nil, []string{"RINGWALL_MASTER_KEY_FILE=" + readable}},
		{"the key itself where a file with its path was meant", nil, []string{"RINGWALL_TLS_KEY_FILE=" + long}},
		{"a secret with a line break", nil, []string{"RINGWALL_SMTP=" + canary + "\n"}},
		{"a value from a file", nil, []string{"RINGWALL_SESSION_MAX_FILE=" + secretFile(t, canary, 0o600)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, faults := settings.Read(tt.flags, tt.environ)
			if len(faults) != 1 {
				t.Fatalf("Read() = %v, want one fault", faults)
			}
			for _, shown := range []string{faults.Error(), fmt.Sprintf("%v %+v %#v", v, v, *v)} {
				if strings.Contains(shown, canary) {
					t.Errorf("the canary shows: %s", shown)
				}
			}
		})
	}
	if _, faults := settings.Read(map[string]string{"DATABASE": "postgres://u@h/d"}, nil); len(faults) > 0 {
		t.Errorf("an address without password is refused as a flag: %v", faults)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"missing": filepath.Join(dir, "none"), "a folder": dir,
		"empty": secretFile(t, "\n", 0o600), "too long": secretFile(t, strings.Repeat("x", 65<<10), 0o600),
	} {
		_, faults := settings.Read(nil, []string{"RINGWALL_SMTP_FILE=" + path})
		if len(faults) != 1 || !strings.Contains(faults[0].Detail, path) {
			t.Errorf("%s: Read() = %v, want one fault that names the file", name, faults)
		}
	}
}

// A Service called "ringwall" gives every pod beside it variables that begin with RINGWALL_; they must not stop the server.
func TestVariablesOfKubernetesAreNoSettings(t *testing.T) {
	_, faults := settings.Read(nil, []string{
		"RINGWALL_SERVICE_HOST=10.0.0.1", "RINGWALL_SERVICE_PORT=443", "RINGWALL_SERVICE_PORT_HTTPS=443", "RINGWALL_PORT=tcp://10.0.0.1:443",
		"RINGWALL_PORT_443_TCP=tcp://10.0.0.1:443", "RINGWALL_PORT_443_TCP_PROTO=tcp", "RINGWALL_PORT_443_TCP_PORT=443", "RINGWALL_PORT_443_TCP_ADDR=10.0.0.1",
		"RINGWALL_DB_SERVICE_HOST=10.0.0.2", "RINGWALL_DB_PORT=tcp://10.0.0.2:5432",
	})
	if len(faults) > 0 {
		t.Errorf("Read() = %v, want no fault", faults)
	}
	if _, faults = settings.Read(nil, []string{"RINGWALL_PORT=8080"}); len(faults) != 1 {
		t.Errorf("RINGWALL_PORT=8080: Read() = %v, want a fault", faults)
	}
}

func secretFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}
