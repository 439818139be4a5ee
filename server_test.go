package ringwall_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ringwall/ringwall"
)

// Whoever brings a TLS listener of their own that agrees on HTTP/2, as ACME clients do, is answered in it.
func TestServerSpeaksHTTP2OnAnyListener(t *testing.T) {
	lender := httptest.NewTLSServer(nil) // of a certificate, and of a client that trusts it
	defer lender.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := ringwall.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	listener := tls.NewListener(plain, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: lender.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}})
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	client := lender.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+plain.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "HTTP/2.0" {
		t.Errorf("the answer came over %q, %v", body, err)
	}
}
