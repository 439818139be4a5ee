package sqlstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrInTheClear is the error of [CheckTransport].
var ErrInTheClear = errors.New("a database on another machine without a verified connection")

// CheckTransport returns [ErrInTheClear] if a connection to the database could leave this machine without a server whose
// certificate was checked. The driver itself says what an address means: it may list several hosts, and variables such as
// PGHOST and PGSSLMODE fill in what it leaves out.
func CheckTransport(database string) error {
	if kind, _ := split(database); kind != onPostgres {
		return nil
	}
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return fmt.Errorf("read the database's URL: %w", err)
	}
	ways := append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	for _, way := range ways {
		if !isHere(way) && !isVerified(way.TLSConfig) {
			return ErrInTheClear
		}
	}
	return nil
}

func isHere(way *pgconn.FallbackConfig) bool {
	network, _ := pgconn.NetworkAddress(way.Host, way.Port)
	address, err := netip.ParseAddr(way.Host)
	return network == "unix" || way.Host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// isVerified knows the form of verify-ca too, for which the driver checks the chain by itself.
func isVerified(config *tls.Config) bool {
	return config != nil && (!config.InsecureSkipVerify || config.VerifyPeerCertificate != nil)
}
