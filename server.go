package ringwall

import (
	"crypto/tls"
	"net/http"
	"time"
)

// Server is an [http.Server] for a handler that strangers reach. Without limits, which net/http does not set, whoever stalls
// keeps a connection for ever. A client has 5 seconds for the head of a request, of 32 KiB at most, 30 seconds for all of it,
// and 60 from its head to the end of the answer; a connection that is idle is closed after two minutes. Set Addr, or serve on
// a listener; everything else may be changed before. A handler that sends or reads for longer extends its own time with
// [http.ResponseController]. Over TLS it speaks versions 1.2 and 1.3, and of 1.2 the suites alone that have forward secrecy and
// authenticate what they encrypt (RFC 9325, section 4.2): net/http leaves some with CBC and SHA-1 open. Groups are those that
// Go prefers, X25519MLKEM768 first.
//
// It is what `ringwall serve` listens with.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    32 << 10,

		// With NextProtos the server also speaks HTTP/2 on a listener that has agreed on it. The suites are of TLS 1.2; those of 1.3 are all good.
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		}},

		DisableGeneralOptionsHandler: true, // OPTIONS * is a request like any other
	}
}
