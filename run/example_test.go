package run_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/ringwall/ringwall/run"
)

// namer answers the last part of a path, by asking another program.
type namer struct{ basename *run.Program }

func (n *namer) name(w http.ResponseWriter, r *http.Request) {
	out, err := n.basename.Run(r.Context(), run.Flag("--"), run.Value(r.FormValue("path")))
	switch {
	case errors.Is(err, run.ErrArgument):
		w.WriteHeader(http.StatusUnprocessableEntity)
	case err != nil:
		log.Print(err)
		w.WriteHeader(http.StatusBadGateway)
	default:
		_, _ = w.Write(out.Stdout)
	}
}

// A whole service: it tells the last part of a path, as the program basename reads it.
func Example() {
	basename, err := run.New("/usr/bin/basename", run.Options{Timeout: 5 * time.Second, MaxOutputBytes: 1 << 10})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /name", (&namer{basename}).name) // http.ListenAndServe("127.0.0.1:8080", mux)

	for _, path := range []string{"/home/ann/notes.txt", "x; rm -rf $HOME", "--version"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/name?path="+url.QueryEscape(path), nil))
		fmt.Printf("%s: %d %q\n", path, w.Code, w.Body)
	}
	// Output:
	// /home/ann/notes.txt: 200 "notes.txt\n"
	// x; rm -rf $HOME: 200 "x; rm -rf $HOME\n"
	// --version: 422 ""
}
