package wall

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// Source is a piece of code, with where it stands.
type Source struct {
	File        string // from the root of the module
	First, Last int    // lines
	Text        string
}

// Module is the root of the module, from the working directory up.
func Module() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if text, err := os.ReadFile(filepath.Join(at, "go.mod")); err == nil && strings.HasPrefix(string(text), "module github.com/ringwall/ringwall\n") { // #nosec G304 -- a name of ours
			return at, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("the source of Ringwall is not here: start this inside of its folder")
		}
		at = up
	}
}

// Sources reads the code of a layer: each function or type that it names, with its comment, or the whole of a file.
func Sources(module string, places ...string) (list []Source, err error) {
	for _, place := range places {
		file, name, _ := strings.Cut(place, " ")
		text, err := os.ReadFile(filepath.Join(module, filepath.FromSlash(file))) // #nosec G304 -- a name of ours
		if err != nil {
			return nil, err
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		first, last := 1, len(lines)
		if name != "" {
			if first, last, err = declared(file, text, name); err != nil {
				return nil, err
			}
		}
		list = append(list, Source{file, first, last, strings.Join(lines[first-1:last], "\n")})
	}
	return list, nil
}

// declared is where a function, method or type stands in a file, its comment included.
func declared(file string, text []byte, name string) (first, last int, err error) {
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, file, text, parser.ParseComments)
	if err != nil {
		return 0, 0, err
	}
	for _, d := range syntax.Decls {
		var from token.Pos
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name != name {
				continue
			}
			if from = d.Pos(); d.Doc != nil {
				from = d.Doc.Pos()
			}
		case *ast.GenDecl:
			spec, ok := d.Specs[0].(*ast.TypeSpec)
			if !ok || spec.Name.Name != name {
				continue
			}
			if from = d.Pos(); d.Doc != nil {
				from = d.Doc.Pos()
			}
		}
		return set.Position(from).Line, set.Position(d.End()).Line, nil
	}
	return 0, 0, fmt.Errorf("%s has no %s", file, name)
}
