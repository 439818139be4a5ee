package outbound_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/outbound"
)

// previews is an application that fetches what people point it at, on plain net/http.
type previews struct{ client *http.Client }

type wanted struct {
	URL string `json:"url" required:"true" maxLength:"2000"`
}

// add fetches the first bytes of an address that somebody gave. What went wrong stays inside: the answer must not tell
// apart what lies in the network of the server.
func (p previews) add(w http.ResponseWriter, r *http.Request) {
	in, err := input.DecodeJSON[wanted](r, 0)
	if err != nil {
		input.Refuse(w, r, err)
		return
	}
	if _, err := p.fetch(in.URL); err != nil {
		fmt.Println("log:", reason(err))
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (p previews) fetch(address string) ([]byte, error) {
	answer, err := p.client.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", answer.Status)
	}
	return io.ReadAll(answer.Body)
}

func reason(err error) error {
	for _, known := range []error{outbound.ErrDenied, outbound.ErrUnlisted, outbound.ErrPlain, outbound.ErrTooLarge} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// A whole application: people point it at addresses, and none of these leads inside. One client takes any public
// address, the other only one host.
func Example() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /previews", previews{outbound.Client(outbound.Options{Redirects: 3})}.add)
	mux.HandleFunc("POST /avatars", previews{outbound.Client(outbound.Options{Hosts: []string{"pictures.example.org"}})}.add)

	for _, sent := range [][2]string{
		{"/previews", "https://169.254.169.254/latest/meta-data"},
		{"/previews", "https://[::ffff:10.0.0.1]/admin"},
		{"/previews", "https://127.0.0.1:5432/"},
		{"/previews", "http://news.example.org/"},
		{"/avatars", "https://pictures.example.org.evil.example/cat.png"},
	} {
		r := httptest.NewRequest("POST", sent[0], strings.NewReader(`{"url": "`+sent[1]+`"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, sent[1])
	}
	// Output:
	// log: the address is not a public one
	// 502 https://169.254.169.254/latest/meta-data
	// log: the address is not a public one
	// 502 https://[::ffff:10.0.0.1]/admin
	// log: the address is not a public one
	// 502 https://127.0.0.1:5432/
	// log: the address does not begin with https
	// 502 http://news.example.org/
	// log: the host is not a listed one
	// 502 https://pictures.example.org.evil.example/cat.png
}
