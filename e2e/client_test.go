package e2e_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/ringwall/ringwall/ringwalltest"
)

// program sends a request as a program does that is no browser: no cookies, no Origin, no Sec-Fetch headers.
func program(t *testing.T, s *ringwalltest.Server, method, path, token string, body any) ringwalltest.Answer {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return raw(t, s, method, path, text, func(r *http.Request) {
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

// raw sends what the test says and nothing else.
func raw(t *testing.T, s *ringwalltest.Server, method, path string, body []byte, change func(*http.Request)) ringwalltest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	client := http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // the test's own server
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return ringwalltest.Answer{Status: response.StatusCode, Header: response.Header, Body: text}
}

// operate runs a command of an operator and fails the test if it fails.
func operate(t *testing.T, s *ringwalltest.Server, command string, in any) object {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Ringwall.Operate(t.Context(), "tester", command, body)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	var read object
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	return read
}
