package web

import (
	"net/http"
	"time"
)

// dataPage is what the page of one's data says.
type dataPage struct {
	Email string
	Days  int    // between asking for the deletion and its being done
	Until moment // when that would be
}

func (v *visit) dataPage() *page {
	p := v.page("data", "password")
	p.Wide = true
	p.proof = "password"
	p.Body = dataPage{
		Email: v.ask.Person.Email, Days: max(1, int(v.web.DeletionDelay/(24*time.Hour))), Until: v.lang.moment(v.web.Now().Add(v.web.DeletionDelay).UnixMicro()),
	}
	return p
}

// data answers GET /account/data.
func (v *visit) data() { v.show(http.StatusOK, v.dataPage()) }

// postExport answers POST /account/data/export with a file.
func (v *visit) postExport() {
	if !v.press() {
		return
	}
	made, err := v.web.Accounts.Export(v.r.Context(), v.by())
	if err != nil {
		p := v.dataPage()
		p.proof = ""
		v.again(p, err)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="account.json"`)
	if made.Write(v.r.Context(), v.w) != nil {
		panic(http.ErrAbortHandler) // the reader is gone, or must see that half is missing
	}
}

type deletionForm struct {
	Password string `form:"password" required:"true"`
}

// postDeletion answers POST /account/data/deletion.
func (v *visit) postDeletion() {
	in, ok, err := decode[deletionForm](v)
	if !ok {
		return
	}
	if err == nil {
		_, err = v.web.Accounts.RequestDeletion(v.r.Context(), v.by(), in.Password, v.ask.Device, v.lang.tag)
	}
	if err != nil {
		v.again(v.dataPage(), err)
		return
	}
	v.web.Cookies.EndSession(v.w)
	v.seeOther("/login", "deletion-scheduled", "")
}
