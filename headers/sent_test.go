package headers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/headers"
)

func TestSent(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(w http.ResponseWriter)
		want bool
	}{
		"nothing was done":        {func(http.ResponseWriter) {}, false},
		"a header was set":        {func(w http.ResponseWriter) { w.Header().Set("X", "y") }, false},
		"hints were sent":         {func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) }, false},
		"a status was sent":       {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, true},
		"a body was begun":        {func(w http.ResponseWriter) { _, _ = w.Write(nil) }, true},
		"a string was written":    {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, true},
		"a file was copied":       {func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("x")) }, true},
		"it was flushed":          {func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }, true},
		"taking over was refused": {func(w http.ResponseWriter) { _, _, _ = http.NewResponseController(w).Hijack() }, false}, // a recorder has no connection
	} {
		var sent bool
		handler := policy(t, headers.Options{}).App(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			tt.do(w)
			sent = headers.Sent(w)
		}))
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		if sent != tt.want {
			t.Errorf("%s: Sent = %v, want %v", name, sent, tt.want)
		}
	}
	if headers.Sent(httptest.NewRecorder()) {
		t.Error("Sent of a foreign writer is true")
	}
}
