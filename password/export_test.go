package password

import "testing"

// CommonPasswords are the single words that the policy knows, so that the tests can make passwords of them.
func CommonPasswords(t *testing.T) []string {
	v, err := commonWords()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for word, rank := range v.ranks {
		if rank <= 3000 {
			list = append(list, word)
		}
	}
	return list
}

// ParsePHC is the parser: the spelling it would write, the parameters, and whether it took the string.
func ParsePHC(phc string) (string, Params, bool) {
	s, err := parse(phc)
	return s.String(), s.params, err == nil
}

// ParseAny is the parser of whatever may be stored: the spelling, and its work against the bound of its family.
func ParseAny(text string) (spelling string, excess bool, ok bool) {
	s, err := parseAny(text)
	if err != nil {
		return "", false, false
	}
	most := map[family]uint64{
		argon2Family: maxWorkKiB, bcryptFamily: 1 << maxBcryptCost, scryptFamily: maxScryptWork,
		sha1Family: maxIterations, sha256Family: maxIterations, sha512Family: maxIterations,
	}
	large, sized := s.(interface{ bytes() int64 })
	return s.String(), s.work() > most[s.family()] || sized && large.bytes() > maxMemoryKiB<<10, true
}

// OfShape is a hash of a shape that no password has.
func OfShape(shape string) string { return exampleOf(shape) }
