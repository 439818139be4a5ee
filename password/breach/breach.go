// Package breach says whether a password is known from a breach of another service, because those are what attackers try next.
//
//	source := breach.NewRange("https://api.pwnedpasswords.com")   // asks a server, which learns 20 bits of a SHA-1
//	source, err := breach.Open("/var/lib/ringwall/breached")       // or looks into a file, and asks nobody
//	known, err := source.Breached(ctx, chosen)
//
// [Build] makes the file, from a list of SHA-1 hashes (as Have I Been Pwned gives them out) or of passwords. It holds 64 bits of each
// hash, sorted, so that a look-up reads a handful of places and the memory holds none of it; one in ten billion unknown passwords is taken for a known one.
// A filter such as a binary fuse would be a quarter as large, but has to lie in memory, whole, also to be built.
//
// A password is brought into normal form NFC first, as it is before it is hashed. The package decides nothing: what follows from
// an answer, and from none, is for the caller.
package breach

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1" // #nosec G505 -- the key of the lists, no protection
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

const (
	rangeTimeout  = time.Second
	rangeMaxBytes = 1 << 20 // an answer has 40 KB
	rangeMost     = 32      // requests at a time
	prefixDigits  = 5
)

// ErrBusy says that too many questions are under way.
var ErrBusy = errors.New("too many breach checks at a time")

func sum(password string) [sha1.Size]byte {
	return sha1.Sum(norm.NFC.Bytes([]byte(password))) // #nosec G401 -- as above
}

// Range asks a server that speaks the range format of Pwned Passwords. It is safe for concurrent use.
type Range struct {
	base   string
	client *http.Client
	places chan struct{}
}

// NewRange makes a Range of the server below base, such as "https://api.pwnedpasswords.com".
func NewRange(base string) *Range {
	return newRange(base, &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: rangeTimeout, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 16 << 10,
	})
}

func newRange(base string, transport http.RoundTripper) *Range {
	return &Range{base: strings.TrimSuffix(base, "/"), places: make(chan struct{}, rangeMost), client: &http.Client{
		Transport: transport, Timeout: rangeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Breached sends the first five of the forty digits of the password's SHA-1, looks for the rest in the answer, and gives up after a
// second. The errors tell nothing of the password, nor of what was sent.
func (r *Range) Breached(ctx context.Context, password string) (bool, error) {
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	default:
		return false, ErrBusy
	}
	digest := sum(password)
	digits := strings.ToUpper(hex.EncodeToString(digest[:]))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/range/"+digits[:prefixDigits], nil)
	if err != nil {
		return false, errors.New("the address of the breach check is no URL")
	}
	request.Header.Set("Add-Padding", "true") // the length of the answer would tell which prefix it was
	request.Header.Set("User-Agent", "ringwall")
	response, err := r.client.Do(request)
	if err != nil {
		return false, withoutAddress(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("the breach check answered with status %d", response.StatusCode)
	}
	known, err := find(io.LimitReader(response.Body, rangeMaxBytes+1), digits[prefixDigits:])
	return known, withoutAddress(err)
}

// withoutAddress takes the address out of an error: the digits stand in it.
func withoutAddress(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the breach check does not answer: %w", wrapped.Err)
	}
	return err
}

// find reads lines of 35 digits, a colon and a count. Padding has the count 0. What is not of that form is no answer.
func find(in io.Reader, rest string) (known bool, err error) {
	lines, read := bufio.NewScanner(in), 0
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if read += len(lines.Bytes()) + 1; read > rangeMaxBytes {
			return false, errors.New("the answer to the breach check is too long")
		}
		if len(line) == 0 {
			continue
		}
		digits, count, ok := strings.Cut(string(line), ":")
		if !ok || len(digits) != len(rest) || count == "" || strings.Trim(count, "0123456789") != "" {
			return false, errors.New("the answer to the breach check is none")
		}
		known = known || strings.EqualFold(digits, rest) && strings.Trim(count, "0") != ""
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return false, errors.New("the answer to the breach check is none")
		}
		return false, err
	}
	return known, nil
}
