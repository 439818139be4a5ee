package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/ringwall/ringwall/internal/settings"
)

const (
	devCertificateName = "dev-tls.pem"
	devCertificateFor  = 90 * 24 * time.Hour
)

// devCertificate is the certificate of dev --tls: kept in the data folder, so that a browser must be told only once to accept
// it, and made anew when it ends soon or others could read it.
func devCertificate(data string) (tls.Certificate, error) {
	if err := makeFolder(data); err != nil {
		return tls.Certificate{}, err
	}
	path := filepath.Join(data, devCertificateName)
	if info, err := os.Stat(path); err == nil && !settings.Exposed(info) {
		pair, err := tls.LoadX509KeyPair(path, path)
		if err == nil && pair.Leaf != nil && time.Until(pair.Leaf.NotAfter) > 24*time.Hour && namesAll(pair.Leaf) {
			return pair, nil
		}
	}
	text, err := makeCertificate()
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make the certificate for dev: %w", err)
	}
	if err := errors.Join(removeIfThere(path), os.WriteFile(path, text, 0o600)); err != nil {
		return tls.Certificate{}, fmt.Errorf("keep the certificate for dev: %w", err)
	}
	return tls.X509KeyPair(text, text)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func namesAll(leaf *x509.Certificate) bool {
	for _, host := range localHosts(netip.IPv4Unspecified()) {
		if leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

func makeCertificate() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Ringwall development"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(devCertificateFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv6loopback},
	}
	for _, host := range localHosts(netip.IPv4Unspecified()) {
		if address, err := netip.ParseAddr(trimBrackets(host)); err == nil {
			template.IPAddresses = append(template.IPAddresses, address.AsSlice())
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = errors.Join(pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: certificate}), pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return b.Bytes(), err
}

func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' {
		return host[1 : len(host)-1]
	}
	return host
}
