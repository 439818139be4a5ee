package ringwall

import (
	"net/http"
	"time"
)

// Server is an [http.Server] for a handler that strangers reach. Without limits, which net/http does not set, whoever stalls
// keeps a connection for ever. A client has 5 seconds for the head of a request, of 32 KiB at most, 30 seconds for all of it,
// and 60 from its head to the end of the answer; a connection that is idle is closed after two minutes. Set Addr, or serve on
// a listener; everything else may be changed before. A handler that sends or reads for longer extends its own time with
// [http.ResponseController].
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

		DisableGeneralOptionsHandler: true, // OPTIONS * is a request like any other
	}
}
