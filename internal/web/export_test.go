package web

import (
	"context"
	"errors"

	"github.com/ringwall/ringwall/internal/chain"
)

// Behind puts a request into the place of the chain's, which rendering needs and a test of rendering cannot run.
func (w *Web) Behind(request func() *chain.Request) {
	w.request = func(context.Context) *chain.Request { return request() }
	w.token = func(*chain.Request) string { return "csrf-token" }
}

// Say is a sentence of the catalogue of a language.
func (w *Web) Say(tag, key string, pairs ...any) string {
	for _, l := range w.languages {
		if l.tag == tag {
			return l.say(key, pairs...)
		}
	}
	return ""
}

// ReadPages reads every page in every language, which a server does when it shows one, and says how many there are.
func (w *Web) ReadPages() (read int, err error) {
	for _, l := range w.languages {
		for name, page := range l.pages {
			one, err := page()
			if err != nil {
				return read, err
			}
			if one.Lookup("page") == nil || one.Lookup("main") == nil {
				return read, errors.New(name + " has nothing to show")
			}
			read++
		}
	}
	return read, nil
}

// Asset is the address of a static file.
func (w *Web) Asset(name string) string { return w.asset(name) }
