package app

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/ringwall/ringwall/examples/invoices/look"
)

//go:embed static
var staticFiles embed.FS

// asset is a static file. It is served under a name that holds its hash, so a browser may keep it for ever.
type asset struct {
	address, kind string
	body          []byte
}

// readAssets finds the static files, and those of the look, by their own names.
func readAssets() (map[string]asset, error) {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	assets := map[string]asset{}
	for _, files := range []fs.FS{look.Files, staticFiles} {
		if err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			body, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			sum, ext := sha256.Sum256(body), path.Ext(name)
			hashed := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:8]) + ext
			assets[entry.Name()] = asset{"/assets/" + hashed, kinds[ext], body}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return assets, nil
}

// asset answers GET /assets/{name}.
func (a *App) asset(w http.ResponseWriter, r *http.Request) {
	for _, f := range a.assets {
		if f.address == r.URL.Path {
			w.Header().Set("Content-Type", f.kind)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			_, _ = w.Write(f.body) // the client is gone: nobody to tell
			return
		}
	}
	a.fail(w, r, errMissing)
}
