package sqlsafe_test

import (
	"testing"

	"github.com/ringwall/ringwall/sqlsafe"
)

func TestVerb(t *testing.T) {
	for want, queries := range map[string][]sqlsafe.Query{
		"SELECT": {sqlsafe.New(`SELECT 1`), sqlsafe.New("\n\t select(1)"), sqlsafe.List(`SELECT 1 WHERE TRUE`)},
		"COMMIT": {sqlsafe.New(`commit`), sqlsafe.New("-- SELECT\nCOMMIT;"), sqlsafe.New(`/* SELECT */COMMIT`), sqlsafe.New("-- a\n/* b */ -- c\n Commit").With()},
		"":       {sqlsafe.New(``), sqlsafe.New(`(SELECT 1)`), sqlsafe.New(`"SELECT"`), sqlsafe.New(`; COMMIT`), sqlsafe.New("\uFEFFSELECT 1"), sqlsafe.New(`SELECT 1; COMMIT`), sqlsafe.ListQuery{}},
	} {
		for _, q := range queries {
			if got := sqlsafe.Verb(q); got != want {
				t.Errorf("Verb(%+v) = %q, want %q", q, got, want)
			}
		}
	}
}
