package outbound_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/outbound"
)

// A person gave these addresses to be told of news. Neither leads inside.
func Example() {
	client := outbound.Client(outbound.Options{})
	tell := func(theirs string) error {
		answer, err := client.Post(theirs, "application/json", strings.NewReader(`{"news": true}`))
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %s", answer.Status)
		}
		return nil
	}
	for _, theirs := range []string{"https://169.254.169.254/latest/meta-data", "https://[::ffff:10.0.0.1]/admin", "http://news.example.org/hook"} {
		err := tell(theirs)
		fmt.Println(theirs, errors.Is(err, outbound.ErrDenied), errors.Is(err, outbound.ErrPlain))
	}
	// Output:
	// https://169.254.169.254/latest/meta-data true false
	// https://[::ffff:10.0.0.1]/admin true false
	// http://news.example.org/hook false true
}
