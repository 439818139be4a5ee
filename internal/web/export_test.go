package web

import (
	"context"

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

// Asset is the address of a static file.
func (w *Web) Asset(name string) string { return w.asset(name) }
