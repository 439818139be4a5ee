package settings

import (
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/ringwall/ringwall/internal/secret"
)

const fileSuffix = "_FILE"

// fileMaxBytes bounds what is read from a file that holds a value.
const fileMaxBytes = 64 << 10

// Read joins flags (by setting name), variables ("NAME=value", as os.Environ gives them) and defaults. It returns the
// values even when there are faults, so that a caller can look for more: a faulty setting then has its default.
func Read(flags map[string]string, environ []string) (*Values, Faults) {
	variables, faults := ours(environ)
	v := &Values{sources: map[string]Source{}}
	for _, s := range Table() {
		s.reset(v)
		text, source, fault := s.find(flags, variables)
		if fault == nil && source.Given() {
			fault = s.take(v, text, source)
		}
		if fault != nil {
			faults = append(faults, *fault)
		}
		v.sources[s.Name] = source
	}
	return v, faults
}

// ours picks the variables that begin with RINGWALL_ and complains of those that name no setting.
func ours(environ []string) (map[string]string, Faults) {
	known := map[string]bool{}
	for _, s := range Table() {
		known[s.Variable()], known[s.Variable()+fileSuffix] = true, true
	}
	found := map[string]string{}
	var faults Faults
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case !strings.HasPrefix(name, "RINGWALL_"), strings.HasPrefix(name, "RINGWALL_TEST_"): // those of our tests
		case known[name]:
			found[name] = value
		case value == "": // does nothing, misspelt or not
		case !fromKubernetes(name, value):
			faults = append(faults, Fault{Setting: name, Detail: "there is no such setting." + suggest(name, known)})
		}
	}
	return found, faults
}

// fromKubernetes reports whether the variable is one that Kubernetes gives to every pod beside a service called ringwall or ringwall-….
func fromKubernetes(name, value string) bool {
	if scheme, _, ok := strings.Cut(value, "://"); ok && strings.HasSuffix(name, "_PORT") {
		return scheme == "tcp" || scheme == "udp" || scheme == "sctp"
	}
	return regexp.MustCompile(`^RINGWALL_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`).MatchString(name)
}

func (s Setting) find(flags, variables map[string]string) (string, Source, *Fault) {
	text, inFlag := flags[s.Name]
	inVariable, inFile := variables[s.Variable()] != "", variables[s.Variable()+fileSuffix] != ""
	if inVariable && inFile {
		return "", Source{From: s.Variable()}, &Fault{s.Variable(), "is set, and " + s.Variable() + fileSuffix + " too. Unset one of them."}
	}
	switch {
	case inFlag:
		source := Source{From: "--" + s.Flag()}
		if s.Secrecy == Hidden || s.Secrecy == HiddenPassword && carriesPassword(text) {
			return "", source, &Fault{source.From, fmt.Sprintf("a secret in a flag shows in the list of processes. Set %s, or %s%s to a file that holds it; and change the secret, it has been seen.", s.Variable(), s.Variable(), fileSuffix)}
		}
		return text, source, nil
	case inVariable:
		return variables[s.Variable()], Source{From: s.Variable()}, nil
	case inFile:
		return s.readFile(variables[s.Variable()+fileSuffix])
	}
	return "", Source{From: fromDefault}, nil
}

// carriesPassword errs on the safe side: an address that cannot be read is taken to hold one if it has an @.
func carriesPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return strings.Contains(text, "@")
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password") || strings.Contains(text, "password=")
}

func (s Setting) readFile(path string) (string, Source, *Fault) {
	source := Source{From: s.Variable() + fileSuffix, File: path}
	fault := func(format string, args ...any) (string, Source, *Fault) {
		return "", source, &Fault{source.From, fmt.Sprintf(format, args...)}
	}
	file, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return fault("%s cannot be read: %s.", path, reason(err))
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return fault("%s cannot be read: %s.", path, reason(err))
	}
	if !info.Mode().IsRegular() {
		return fault("%s is not a file.", path)
	}
	if s.Secrecy != Public && Exposed(info) {
		return fault("%s can be read by others than its owner (mode %04o). Run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	content, err := io.ReadAll(io.LimitReader(file, fileMaxBytes+1))
	if err != nil {
		return fault("%s cannot be read: %s.", path, reason(err))
	}
	text := strings.TrimRight(string(content), "\r\n")
	switch {
	case len(content) > fileMaxBytes:
		return fault("%s is longer than 64 KiB.", path)
	case text == "":
		return fault("%s is empty.", path)
	case strings.ContainsAny(text, "\r\n\x00"):
		return fault("%s holds more than one line; it should hold the value alone. To name the file itself, set %s.", path, s.Variable())
	}
	return text, source, nil
}

// Exposed reports whether others than the owner can read or change a file. A file of root's may be readable by its group
// for a server that is not root, as PostgreSQL allows it.
func Exposed(info fs.FileInfo) bool {
	mode := info.Mode().Perm()
	if ownedByRootAlone(info) {
		return mode&0o037 != 0
	}
	return mode&0o077 != 0
}

func reason(err error) string {
	if pathError, ok := err.(*fs.PathError); ok {
		return pathError.Err.Error()
	}
	return err.Error()
}

// reset sets the field to its default; a test proves that every default passes.
func (s Setting) reset(v *Values) {
	if s.Default != "" {
		_ = parse(s.Default, s.into(v))
	}
}

// take reads text into the field. What came from a file or is secret is not repeated in the fault.
func (s Setting) take(v *Values, text string, source Source) *Fault {
	err := parse(text, s.into(v))
	if err == nil {
		return nil
	}
	s.reset(v)
	shown := ""
	if s.Secrecy == Public && source.File == "" {
		shown = fmt.Sprintf("%q ", clip(text))
	}
	_, isSecret := s.into(v).(*secret.Text)
	example := ""
	if s.Example != "" && !isSecret {
		example = " Write it as " + s.Example + "."
	}
	return &Fault{source.From, shown + err.Error() + "." + example}
}

func clip(text string) string {
	if len(text) > 80 {
		return text[:80] + "…"
	}
	return text
}
