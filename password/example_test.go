package password_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/password"
)

// accounts is an application on plain net/http. It keeps hashes in memory, where yours has a database.
type accounts struct {
	hasher *password.Hasher
	mu     sync.Mutex
	hashes map[string]string
}

func (a *accounts) find(email string) (phc string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	phc, ok = a.hashes[email]
	return phc, ok
}

func (a *accounts) store(email, phc string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hashes[email] = phc
}

// signUp refuses what is weak, and says what would pass.
func (a *accounts) signUp(w http.ResponseWriter, r *http.Request) {
	email, chosen := r.PostFormValue("email"), r.PostFormValue("password")
	err := password.Policy{}.Check(chosen, "Example Shop", email)
	if weak, ok := errors.AsType[*password.Weak](err); ok {
		answer(w, http.StatusUnprocessableEntity, weak.Code)
		return
	}
	phc := ""
	if err == nil {
		phc, err = a.hasher.Hash(r.Context(), password.Other, false, chosen)
	}
	if err != nil {
		failed(w, err)
		return
	}
	a.store(email, phc)
	answer(w, http.StatusCreated, "welcome")
}

// signIn does the same work for an address that has no account, and gives the same answer.
func (a *accounts) signIn(w http.ResponseWriter, r *http.Request) {
	email, typed := r.PostFormValue("email"), r.PostFormValue("password")
	phc, known := a.find(email)
	if !known {
		if err := a.hasher.VerifyNobody(r.Context(), password.SignIn, false, typed); err != nil {
			failed(w, err)
			return
		}
		answer(w, http.StatusUnauthorized, "wrong address or password")
		return
	}
	right, rehash, err := a.hasher.Verify(r.Context(), password.SignIn, false, phc, typed)
	if err != nil {
		failed(w, err)
		return
	}
	if !right {
		answer(w, http.StatusUnauthorized, "wrong address or password")
		return
	}
	if rehash { // it was made with other parameters
		if phc, err := a.hasher.Hash(r.Context(), password.Other, false, typed); err == nil {
			a.store(email, phc)
		}
	}
	answer(w, http.StatusOK, "signed in")
}

// failed answers 503 when too many passwords are waiting.
func failed(w http.ResponseWriter, err error) {
	if busy, ok := errors.AsType[*password.Busy](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(busy.RetryAfter.Seconds())+1))
		answer(w, http.StatusServiceUnavailable, "try again in a moment")
		return
	}
	log.Print(err)
	answer(w, http.StatusInternalServerError, "something went wrong here")
}

func answer(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, text)
}

// A whole application: one queue and one hasher for its lifetime, sign-up and sign-in.
func Example() {
	queue, err := password.NewQueue(password.QueueOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := queue.Close(stop); err != nil {
			log.Print(err)
		}
	}()
	hasher, err := password.NewHasher(queue, password.Params{})
	if err != nil {
		log.Fatal(err)
	}
	app := &accounts{hasher: hasher, hashes: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /signup", app.signUp)
	mux.HandleFunc("POST /login", app.signIn)

	for _, form := range [][3]string{
		{"/signup", "alice@example.org", "passwordpassword"},
		{"/signup", "alice@example.org", "seven lilac tandems in orbit"},
		{"/login", "alice@example.org", "seven lilac tandems"},
		{"/login", "nobody@example.org", "seven lilac tandems"},
		{"/login", "alice@example.org", "seven lilac tandems in orbit"},
	} {
		fields := url.Values{"email": {form[1]}, "password": {form[2]}}
		r := httptest.NewRequest("POST", form[0], strings.NewReader(fields.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(form[0], w.Code, w.Body)
	}
	phc, _ := app.find("alice@example.org")
	fmt.Println("stored:", phc[:30])
	// Output:
	// /signup 422 common
	// /signup 201 welcome
	// /login 401 wrong address or password
	// /login 401 wrong address or password
	// /login 200 signed in
	// stored: $argon2id$v=19$m=65536,t=3,p=1
}
