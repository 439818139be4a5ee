package web_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestStaticFiles(t *testing.T) {
	h := newHouse(t)
	for name, kind := range map[string]string{"style.css": "text/css; charset=utf-8", "script.js": "text/javascript; charset=utf-8", "challenge.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		res := h.get(h.Asset(name))
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != kind || res.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
		body := bodyOf(t, res)
		for _, banned := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "Storage", "indexedDB", "document.cookie", "fetch(", "XMLHttp", "sendBeacon", "@import", "url(", "<script"} {
			if strings.Contains(body, banned) {
				t.Errorf("%s has %s", name, banned)
			}
		}
		if name == "script.js" && strings.Count(body, "\n") > 60 {
			t.Error("the script has grown beyond comfort: over 60 lines")
		}
	}
	for _, path := range []string{"/auth/static/", "/auth/static/style.css", "/auth/static/..%2fweb.go", "/auth/static/web.go", "/auth/static/words", "/auth/static"} {
		if res := h.get(path); res.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s = %d, want 404", path, res.StatusCode)
		}
	}
}

func TestNoTextIsCalledSafe(t *testing.T) {
	banned := regexp.MustCompile(`template\.(HTML|HTMLAttr|JS|JSStr|CSS|URL|Srcset)\b|text/template|InsecureSkip`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file) //nolint:gosec // the package's own files
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") && banned.Match(raw) {
			t.Errorf("%s goes around the escaping", file)
		}
	}
}
