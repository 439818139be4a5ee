package app

import (
	"net/http"

	"github.com/ringwall/ringwall/input"
)

// unsafeSearchQuery takes what comes.
func unsafeSearchQuery(r *http.Request) (searchQuery, error) {
	q := r.URL.Query()
	return searchQuery{Text: term(q.Get("q")), Sort: sorting(q.Get("sort"))}, nil
}

// unsafeProfileForm reads the fields that it knows and does not mind others.
func unsafeProfileForm(r *http.Request) (profileForm, error) {
	err := r.ParseForm()
	return profileForm{Name: input.DisplayName(r.PostForm.Get("display_name")), About: r.PostForm.Get("about")}, err
}
