package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/problem"
)

// errorPage is what an error page says. None of it comes from the request, but for the path to return to.
type errorPage struct {
	Code      string // one of the catalogue
	Status    int
	When      string // when to come back, if that is known
	RequestID string
	Again     string // where to prove again who one is
}

// Error answers with the page of err: what happened, what to do, and the request id. What we did not foresee is 500 and
// explained to nobody. It may be called before the chain has prepared the request.
//
// A GET that only lacks a recent proof of identity is sent to the page that asks for it, and comes back.
func (w *Web) Error(out http.ResponseWriter, r *http.Request, err error) {
	v := w.visit(out, r)
	e := problem.From(err)
	body := errorPage{Code: known(e), Status: e.Kind.Status()}
	if e.Code == "fresh-required" {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			v.seeOther("/reauthenticate", "", v.returnPath(r.URL.EscapedPath()))
			return
		}
		body.Again = w.link("/reauthenticate")
	}
	if e.Kind == problem.TooMany || e.Kind == problem.Unavailable {
		body.When = v.comeBack(e.RetryAfter)
	}
	if v.ask != nil {
		body.RequestID = v.ask.ID
	}
	p := v.page("error")
	p.Notice, p.ReturnTo = "", ""
	p.Body = body
	problem.WriteHead(out.Header(), e)
	v.show(e.Kind.Status(), p)
}
