package input_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ringwall/ringwall/input"
)

// A whole service: one call that takes JSON, behind the guard of its path.
func Example() {
	type order struct {
		Email input.Email `json:"email" required:"true"`
		Note  string      `json:"note" maxLength:"200"`
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		in, err := input.DecodeJSON[order](r, 0)
		if err != nil {
			input.Refuse(w, r, err)
			return
		}
		_, _ = fmt.Fprintln(w, "ordered by", in.Email)
	})
	server := input.PathGuard(mux, nil) // http.ListenAndServe("127.0.0.1:8080", server)

	for _, body := range []string{`{"email":"Ann@Example.org"}`, `{"email":"ann","price":0}`} {
		r := httptest.NewRequest("POST", "/orders", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 ordered by Ann@example.org
	// 422 {"type":"/auth/problems/invalid","title":"A field breaks a rule","status":422,"detail":"Some fields break a rule; errors names each with what would pass.","errors":[{"field":"/email","code":"email","detail":"Write an address such as name@example.org, without spaces or quotes."},{"field":"","code":"unknown","detail":"There is a member here that this call does not know. Known are: email, note."}]}
}

func ExampleDecodeQuery() {
	type search struct {
		Words string `query:"q" required:"true" maxLength:"100"`
		Sort  string `query:"sort" enum:"newest,oldest"`
		Page  *int   `query:"page" minimum:"1" maximum:"1000"`
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := input.DecodeQuery[search](r)
		if err != nil {
			input.Refuse(w, r, err)
			return
		}
		_, _ = fmt.Fprintln(w, "looking for", in.Words, in.Sort)
	})
	for _, address := range []string{"/search?q=books&sort=newest", "/search?q=books&sort=price&page=0"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", address, nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 looking for books newest
	// 422 {"type":"/auth/problems/invalid","title":"A field breaks a rule","status":422,"detail":"Some fields break a rule; errors names each with what would pass.","errors":[{"field":"sort","code":"choice","detail":"Send one of these: newest, oldest."},{"field":"page","code":"too-small","detail":"Send at least 1."}]}
}

func ExampleDecodeUpload() {
	avatars := map[string]input.File{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, err := input.DecodeUpload(w, r, input.Upload{Field: "avatar", Types: []string{"image/png", "image/jpeg"}})
		if err != nil {
			input.Refuse(w, r, err)
			return
		}
		avatars["7"+file.Ext] = file // under a name of your own
		w.WriteHeader(http.StatusNoContent)
	})
	body := "--x\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"me.png\"\r\nContent-Type: image/png\r\n\r\n<svg onload=alert(1)>\r\n--x--\r\n"
	r := httptest.NewRequest("POST", "/avatar", strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 422 {"type":"/auth/problems/invalid","title":"A field breaks a rule","status":422,"detail":"Some fields break a rule; errors names each with what would pass.","errors":[{"field":"avatar","code":"markup","detail":"The file holds the code of a page or a program."}]}
}

func ExampleReturnPath() {
	for _, asked := range []string{"/invoices/7", "//evil.test", `/\evil.test`, "https://id.example.org@evil.test"} {
		fmt.Println(input.ReturnPath(asked, "/account"))
	}
	// Output:
	// /invoices/7
	// /account
	// /account
	// /account
}
