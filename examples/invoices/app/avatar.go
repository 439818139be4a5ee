package app

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

const pictureBytes = 1 << 20

// pictureTypes are the pictures that people may have. SVG is none of them: it is a document with script in it.
var pictureTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

var errNoPicture = failure{status: http.StatusUnprocessableEntity, field: "picture", detail: "Choose a picture."}

type picture struct {
	kind  string
	bytes []byte
}

var (
	savePicture = sqlsafe.Owned(`UPDATE people SET picture = $2, picture_type = $3 WHERE id = $1`)
	findPicture = sqlsafe.New(`SELECT picture, picture_type FROM people WHERE id = $1 AND picture IS NOT NULL`)
)

// changeAvatar answers POST /profile/avatar.
func (a *App) changeAvatar(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	p, err := a.readPicture(w, r)
	if err == nil {
		_, err = a.db.Exec(r.Context(), savePicture.For(s.Subject(), p.bytes, p.kind))
	}
	if err != nil {
		return a.profileAgain(w, r, s, err)
	}
	http.Redirect(w, r, "/profile?done=picture", http.StatusSeeOther)
	return nil
}

// readPicture takes what its bytes say is a picture. Its name and the type that the sender claims are not even read.
func readPicture(w http.ResponseWriter, r *http.Request) (picture, error) {
	file, err := input.DecodeUpload(w, r, input.Upload{Field: "picture", MaxBytes: pictureBytes, Types: pictureTypes})
	return picture{file.Type, file.Bytes}, err
}

// showAvatar answers GET /avatars/{id}: people here may see each other's pictures.
func (a *App) showAvatar(w http.ResponseWriter, r *http.Request, _ *session.Session) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return errMissing
	}
	var p picture
	if err := a.db.QueryRow(r.Context(), findPicture.With(id[:])).Scan(&p.bytes, &p.kind); err != nil {
		return missing(err)
	}
	a.sendPicture(w, p)
	return nil
}

// sendPicture serves what somebody uploaded as a picture of a type from the list, and anything else as a download. A browser
// may not guess another type, and whatever it is runs no script and belongs to no origin.
func sendPicture(w http.ResponseWriter, p picture) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Disposition", "inline")
	h.Set("Content-Type", p.kind)
	if !slices.Contains(pictureTypes, p.kind) {
		h.Set("Content-Disposition", `attachment; filename="picture"`)
		h.Set("Content-Type", "application/octet-stream")
	}
	_, _ = w.Write(p.bytes) // the client is gone: nobody to tell
}
