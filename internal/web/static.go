package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/internal/problem"
)

//go:embed static
var staticFiles embed.FS

// file is one static file. It is served under a name that holds its hash, so browsers may keep it for ever.
type file struct {
	body []byte
	kind string
}

// kinds are the content types of static files; a file of another kind is an error at start.
var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func (w *Web) readStatic() error {
	w.files, w.addresses = map[string]file{}, map[string]string{}
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		body, err := staticFiles.ReadFile(path.Join("static", entry.Name()))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(entry.Name())
		hashed := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:8]) + ext
		w.files[hashed] = file{body: body, kind: kinds[ext]}
		w.addresses[entry.Name()] = w.Prefix + "/static/" + hashed
		if _, _, err := mime.ParseMediaType(kinds[ext]); err != nil {
			return err
		}
	}
	return nil
}

// asset is the address of a static file.
func (w *Web) asset(name string) string { return w.addresses[name] }

// isStatic reports whether a request for /static/{name} names a file.
func (w *Web) isStatic(r *http.Request) bool {
	_, ok := w.files[r.PathValue("name")]
	return ok
}

// static answers GET /static/{name}. There is no listing, and no name but the hashed one.
func (v *visit) static() {
	f, ok := v.web.files[v.r.PathValue("name")]
	if !ok {
		v.web.Fail(v.w, v.r, problem.New(problem.Missing, "not-found", "There is nothing here that you may see."))
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", f.kind)
	h.Del("Vary") // the same for everybody
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(f.body) // the client is gone: nobody to tell
}
