// Package input is the gate through which a request's data enters: what does not fit is refused before a handler sees
// it.
//
// A handler decodes its body into a struct of its own and answers what is wrong with [Refuse]:
//
//	type signup struct {
//		Email    input.Email `json:"email" form:"email" required:"true"`
//		Password string      `json:"password" form:"password" required:"true" maxLength:"256"`
//	}
//	in, err := input.DecodeJSON[signup](r, 0) // or DecodeForm[signup](r), DecodeQuery[search](r)
//	if err != nil {
//		input.Refuse(w, r, err)
//		return
//	}
//
// [DecodeUpload] reads a file: what it is shows from its content, never from what the client says.
//
// The rest guards what stands around the body: [PathGuard] the path, [Origins] the host, [ReturnPath] where a browser is
// sent afterwards, [ClientAddress] and [Network] who is calling, [Email] and [DisplayName] the two texts that people
// give themselves.
//
// # Rules of a field
//
// Struct tags, the same that OpenAPI generators read: `required:"true"` (there, and not its zero value), `minLength` and
// `maxLength` (in code points), `pattern` (a regular expression that the whole text must match; RE2, so its time is
// linear), `enum:"a,b"` (one of these); an empty optional text is not judged. At anything but a text these four are an error:
// give what stands in a list a type that checks itself. `minimum` and `maximum` bound a number, sent or not: make an optional
// one a pointer. A type that implements [encoding.TextUnmarshaler] checks itself; let it return a [*Fault] to tell the caller
// how to mend it. Text with a NUL in it is refused everywhere, since databases and
// C libraries end at it.
//
// Errors carry a public face: status 400 for what cannot be read, 422 with a list of fields for what can but breaks a
// rule, 413, 415, 404 and 421. None repeats a value, nor a name that the request made up.
//
// # What is not caught
//
// Nothing here makes text safe to print: escape on output (html/template), and bind SQL arguments. Whether an address
// exists or belongs to the caller shows only when mail to it is answered. A display name may still imitate somebody
// else's with look-alike letters, or read like a host name, which mail programs turn into a link. [ReturnPath] keeps a
// browser on the host; what it does there is up to that page. [ClientAddress] is as honest as the proxies that you call
// trusted. JSON numbers beyond what the Go field holds are refused. What a picture shows, and whether a program that
// reads it has a hole, [DecodeUpload] cannot see: serve it with its Type, X-Content-Type-Options: nosniff, and under a
// name of your own. Only WebP is decoded; the pixels of other pictures are passed on as they came.
package input

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/problem"
)

// MaxBodyBytes is how long a body may be unless a call says otherwise: 64 KiB.
const MaxBodyBytes = 64 << 10

// Fault is what is wrong with one value. Code is stable, Detail tells how to mend it; both are constants of the program,
// never input.
type Fault struct{ Code, Detail string }

// Error is the detail.
func (f *Fault) Error() string { return f.Detail }

// Refuse answers err as a problem document (RFC 9457); an error that does not come from Ringwall's packages is a 500
// that explains nothing. The type URIs are those of a Ringwall mounted under /auth.
func Refuse(w http.ResponseWriter, _ *http.Request, err error) {
	problem.Write(w, "/auth", "", err)
}

func malformed(detail string) *problem.Error {
	return problem.New(problem.Malformed, "malformed", detail)
}

func invalid(faults []problem.Field) *problem.Error {
	return problem.New(problem.Invalid, "invalid", "Some fields break a rule; errors names each with what would pass.").With(faults...)
}
