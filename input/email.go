package input

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	maxLocalBytes = 63
	maxEmailBytes = 254
)

// Email is a mail address that has been read and checked. The zero Email is none.
//
// Its key is what makes two spellings one person: John@Example.org, JOHN@example.ORG and the same in full-width letters
// have one key, hence one account and one counter of attempts. Dots and +tags stay significant: only the receiving host
// knows whether j.ohn+shop is john, and merging them elsewhere would give one person's account to another.
type Email struct{ address, key string }

// ParseEmail reads the address that somebody typed. It returns a [*Fault] for what is none: nothing or more than one @,
// a local part over 63 or an address over 254 bytes, spaces, control characters, quotes, backticks, letters outside of
// ASCII before the @ (browsers refuse them in an email field too), dots at an end or twice, a domain without a dot, an
// IP address or a domain with a dot at its end. An international domain becomes ASCII.
func ParseEmail(text string) (Email, error) {
	if text == "" {
		return Email{}, &Fault{"required", "Write an address."}
	}
	if len(text) > 4*maxEmailBytes { // as typed it may be longer than in ASCII, but not without bound
		return Email{}, &Fault{"too-long", "An address has at most 254 characters."}
	}
	if !utf8.ValidString(text) {
		return Email{}, &Fault{"email", "Write the address in UTF-8."}
	}
	local, domain, found := strings.Cut(norm.NFKC.String(text), "@")
	if !found || strings.Contains(domain, "@") || !isLocal(local) {
		return Email{}, &Fault{"email", "Write an address such as name@example.org, without spaces or quotes."}
	}
	domain, ok := mailDomain(domain)
	if !ok {
		return Email{}, &Fault{"email", "Write a domain such as example.org after the @."}
	}
	address := local + "@" + domain
	if len(local) > maxLocalBytes || len(address) > maxEmailBytes {
		return Email{}, &Fault{"too-long", "An address has at most 63 characters before the @, and 254 in all."}
	}
	return Email{address: address, key: strings.ToLower(address)}, nil
}

// String is the address to write to: the part before the @ as typed, the domain in lower-case ASCII.
func (e Email) String() string { return e.address }

// Key is the same for every spelling of the address. Store it as the unique one, and count attempts by it.
func (e Email) Key() string { return e.key }

// IsZero reports whether there is no address.
func (e Email) IsZero() bool { return e.address == "" }

// MarshalText is [Email.String].
func (e Email) MarshalText() ([]byte, error) { return []byte(e.address), nil }

// UnmarshalText is [ParseEmail].
func (e *Email) UnmarshalText(text []byte) error {
	parsed, err := ParseEmail(string(text))
	if err != nil {
		return err
	}
	*e = parsed
	return nil
}

// isLocal is RFC 5321's dot-string without quotes and backticks. ASCII alone: lower-casing more than that would merge
// addresses that belong to different people (İ and i).
func isLocal(local string) bool {
	if local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for i := range len(local) {
		c := local[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"'`(),:;<>[\\]@", c) >= 0 {
			return false
		}
	}
	return true
}

func mailDomain(domain string) (string, bool) {
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(true),
		idna.CheckHyphens(false), idna.CheckJoiners(true), idna.VerifyDNSLength(true)) // ab--cd.example exists
	ascii, err := profile.ToASCII(domain)
	if err != nil || !strings.Contains(ascii, ".") || strings.HasSuffix(ascii, ".") {
		return "", false
	}
	if again, err := profile.ToASCII(ascii); err != nil || again != ascii {
		return "", false // an address that we would not take back from our own table
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
	}
	if _, err := netip.ParseAddr(ascii); err == nil {
		return "", false
	}
	last := ascii[strings.LastIndexByte(ascii, '.')+1:]
	return ascii, strings.Trim(last, "0123456789") != ""
}
