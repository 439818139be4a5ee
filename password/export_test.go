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
