package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/settings"
)

type devCommand struct {
	settingFlags
	TLS bool `name:"tls" help:"Serve https with a certificate of our own making. Needed for other addresses than loopback."`
}

// Help is the example.
func (devCommand) Help() string {
	return `Starts with nothing to configure: SQLite in the data folder, keys made at the first start, mails on a page instead of sent. For this machine alone.

Example:

    ringwall dev
    ringwall dev --addr 127.0.0.1:9000 --data /tmp/try --tls`
}

// Run serves on this machine until it is told to stop.
func (c *devCommand) Run(ctx context.Context, a *app) error {
	v, faults := a.readSettings(c.settingFlags)
	if faults = join(faults, c.faults(v)); len(faults) > 0 {
		return refused{"dev", faults}
	}
	signal.Ignore(syscall.SIGPIPE) // whoever looked on may go away
	logger := peopleLog(a.err, v.LogLevel)
	if unused := v.Unused(settings.Dev); len(unused) > 0 {
		logger.Warn("dev does not read these settings", "settings", strings.Join(unused, ", "))
	}
	v.Database = ringwall.Secret{} // always the file in the data folder
	s := &site{values: v, log: logger, options: optionsOf(v, logger)}
	forDevelopment(&s.options)
	s.origins = func(at net.Addr) []string {
		if len(v.Origins) > 0 {
			return v.Origins
		}
		return localOrigins(at, c.TLS)
	}
	if c.TLS {
		pair, err := devCertificate(v.Data)
		if err != nil {
			return err
		}
		s.tls = &pair
	}
	s.ready = func(net.Addr) { a.welcome(s) }
	return s.run(ctx)
}

// forDevelopment sets what dev has instead of settings: mails on a page, and a key that the library makes beside the database.
func forDevelopment(o *ringwall.Options) {
	o.Development, o.Environment = true, developmentName
	o.MasterKey, o.MasterKeyFile = ringwall.Secret{}, ""
	o.SMTP, o.MailFrom = ringwall.Secret{}, ""
	o.TrustedProxies, o.TrustedProxyHeader = nil, ""
}

func (c *devCommand) faults(v *settings.Values) settings.Faults {
	check := &checker{Values: v}
	check.rules()
	check.folder()
	if _, _, err := net.SplitHostPort(v.Addr); err != nil {
		check.fault("ADDR", strconv.Quote(v.Addr)+" is no address with a port. Write it as 127.0.0.1:8080.")
	} else if !c.TLS && !isLoopback(v.Addr) {
		check.fault("ADDR", strconv.Quote(v.Addr)+" is open to the network, where passwords would be readable, and dev shows every mail to whoever asks. Write 127.0.0.1:8080, or add --tls if you trust everybody there.")
	}
	return check.faults
}

// localOrigins are the names under which a browser reaches the address; the first stands in mails.
func localOrigins(at net.Addr, https bool) []string {
	scheme := "http://"
	if https {
		scheme = "https://"
	}
	listening, err := netip.ParseAddrPort(at.String())
	if err != nil {
		return nil
	}
	port := ":" + strconv.Itoa(int(listening.Port()))
	if https && port == ":443" || !https && port == ":80" {
		port = ""
	}
	var origins []string
	for _, host := range localHosts(listening.Addr().Unmap()) {
		origins = append(origins, scheme+host+port)
	}
	return origins
}

func localHosts(listening netip.Addr) []string {
	switch {
	case listening.IsLoopback() && listening.Is6():
		return []string{"[" + listening.String() + "]", "localhost"}
	case listening.IsLoopback():
		return []string{listening.String(), "localhost"}
	case !listening.IsUnspecified():
		return []string{bracketed(listening)}
	}
	hosts := []string{"127.0.0.1", "localhost"}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return hosts
	}
	for _, address := range addresses {
		if prefix, err := netip.ParsePrefix(address.String()); err == nil && !prefix.Addr().IsLoopback() && !prefix.Addr().IsLinkLocalUnicast() {
			hosts = append(hosts, bracketed(prefix.Addr().Unmap()))
		}
	}
	return hosts
}

func bracketed(address netip.Addr) string {
	if address.Is6() {
		return "[" + address.String() + "]"
	}
	return address.String()
}

// welcome tells a newcomer what there is and what to do next.
func (a *app) welcome(s *site) {
	origin := s.options.Origins[0]
	var b strings.Builder
	fmt.Fprintf(&b, "\nRingwall is ready, for development on this machine.\n\n")
	fmt.Fprintf(&b, "  Address  %s%s/\n", origin, s.options.Prefix)
	fmt.Fprintf(&b, "  Mails    %s%s/dev/mail\n", origin, s.options.Prefix)
	fmt.Fprintf(&b, "  Data     %s\n", s.folder.path)
	if s.tls != nil {
		fmt.Fprintf(&b, "  TLS      a certificate of our own making: %s\n", filepath.Join(s.folder.path, devCertificateName))
	}
	if !isLoopback(s.public.Addr().String()) {
		b.WriteString("\nWhoever reaches this address can read the mails, and so become anybody.\n")
	}
	fmt.Fprintf(&b, "\nMake the first administrator, in a second terminal:\n\n  %s user create --email you@example.org --role admin%s\n\nStop with Ctrl-C.\n\n", a.self(), dataFlag(s.folder.path))
	_, _ = fmt.Fprint(a.out, b.String())
}

// self is how to call this command again in the same folder.
func (a *app) self() string {
	path, err := os.Executable()
	if err != nil {
		return "ringwall"
	}
	if !strings.Contains(path, string(filepath.Separator)+"go-build") {
		if slices.ContainsFunc(filepath.SplitList(environment(a.environ, "PATH")), func(dir string) bool { return dir == filepath.Dir(path) }) {
			return filepath.Base(path)
		}
		return shellQuoted(path)
	}
	if _, err := os.Stat(filepath.Join("cmd", "ringwall", "main.go")); err == nil {
		return "go run ./cmd/ringwall"
	}
	return "go run github.com/ringwall/ringwall/cmd/ringwall"
}

// dataFlag names the data folder, unless a command in the same folder would find it anyway.
func dataFlag(data string) string {
	v, _ := settings.Read(nil, nil)
	if usual, err := filepath.Abs(v.Data); err == nil && usual == data {
		return ""
	}
	return " --data " + shellQuoted(data)
}

func environment(environ []string, name string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func shellQuoted(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
