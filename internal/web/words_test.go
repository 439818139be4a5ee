package web_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/password"
)

// catalogue is a file of words, with both forms of a plural as one text.
func catalogue(t *testing.T, tag string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("words/" + tag + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]any
	if err := json.Unmarshal(raw, &texts); err != nil {
		t.Fatal(err)
	}
	flat := map[string]string{}
	for key, value := range texts {
		switch value := value.(type) {
		case string:
			flat[key] = value
		case map[string]any:
			flat[key] = value["one"].(string) + "\x00" + value["other"].(string)
		}
	}
	return flat
}

func TestLanguagesSayTheSame(t *testing.T) {
	en, de := catalogue(t, "en"), catalogue(t, "de")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(de))); diff != "" {
		t.Fatalf("a sentence is missing in a language: -en +de\n%s", diff)
	}
	holes := regexp.MustCompile(`\{[a-z]+\}`)
	for key := range en {
		inEnglish, inGerman := holes.FindAllString(en[key], -1), holes.FindAllString(de[key], -1)
		slices.Sort(inEnglish)
		slices.Sort(inGerman)
		if !slices.Equal(inEnglish, inGerman) || strings.Count(en[key], "\x00") != strings.Count(de[key], "\x00") {
			t.Errorf("%s: %q and %q have other holes", key, en[key], de[key])
		}
		for tag, text := range map[string]string{"en": en[key], "de": de[key]} {
			if text == "" || strings.ContainsAny(text, "!<>") && key != "fault.display_name" {
				t.Errorf("%s %s: %q is empty, exclaims or holds markup", tag, key, text)
			}
		}
	}
}

// impersonal are the events that never concern a person with an account, so that the page of activity has no words for
// them. Every other event of the vocabulary has.
var impersonal = map[audit.Name]string{
	audit.SysStartup:       "the server's own",
	audit.SysShutdown:      "the server's own",
	audit.SignupRequested:  "nobody has an account yet",
	audit.UserDeleted:      "nobody is left to read it",
	audit.PrivilegeChanged: "a role's, not somebody's",
	audit.AlertOpened:      "operators'",
	audit.AlertClosed:      "operators'",

	audit.MaliciousCSPViolation: "nobody is asked who reports it",
}

// composed are the keys that the program puts together.
func composed() map[string]bool {
	keys := map[string]bool{"fault.email": true, "fault.display_name": true, "fault.characters": true, "fault.language": true, "fault.same.email": true, "fault.same.password": true, "fault.unknown": true}
	for month := 1; month <= 12; month++ {
		keys["month."+strconv.Itoa(month)] = true
	}
	for _, entry := range audit.Vocabulary() {
		if impersonal[entry.Name] == "" {
			keys["activity."+string(entry.Name)] = true
		}
	}
	for _, reasoned := range []string{
		"authn_login_lock.other", "authn_password_change.reset", "authz_admin.unlocked", "authz_admin.reset-demanded", "sensitive_read.deletion-pending",
		"session_logout.replaced", "session_logout.revoked", "session_logout.others-revoked", "session_logout.by-operator", "session_logout.all-by-operator",
		"session_logout.not-me", "session_logout.secured",
		"user_updated.profile", "user_updated.address-change-requested", "user_updated.address-change-approved", "user_updated.address-change-confirmed",
		"user_updated.address-change-cancelled", "user_updated.address-changed", "user_updated.address-changed-by-operator",
	} {
		keys["activity."+reasoned] = true
	}
	for _, entry := range problem.Catalogue() {
		for _, part := range []string{".title", ".what", ".do"} {
			keys["error."+entry.Code+part] = true
		}
	}
	for _, code := range []string{password.CodeTooShort, password.CodeTooLong, password.CodeCommon, password.CodeContainsName, password.CodeBreached} {
		keys["fault."+code+".password"] = true
	}
	for _, field := range []string{"email", "password", "code", "current_password", "new_password"} {
		keys["fault.required."+field] = true
	}
	return keys
}

func TestEverySentenceIsUsedAndNoneIsMissing(t *testing.T) {
	texts := catalogue(t, "en")
	used := composed()
	asked := regexp.MustCompile(`(?:\bt|say\(|key =|: +)\s*"([a-z]+\.[a-z0-9.-]+)"`)
	for _, pattern := range []string{"*.go", "templates/*.html", "templates/frame/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			raw, err := os.ReadFile(file) //nolint:gosec // the package's own files
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range asked.FindAllStringSubmatch(string(raw), -1) {
				if !slices.Contains([]string{"image/svg"}, match[1]) {
					used[match[1]] = true
				}
			}
		}
	}
	for key := range used {
		if _, ok := texts[key]; !ok {
			t.Errorf("the sentence %q is asked for and missing", key)
		}
	}
	for key := range texts {
		if !used[key] {
			t.Errorf("the sentence %q is never said", key)
		}
	}
}

func TestPluralsAndTimes(t *testing.T) {
	h := newHouse(t)
	for _, tt := range []struct{ got, want string }{
		{h.Say("en", "wait.seconds", "n", 1), "Try again in one second."},
		{h.Say("en", "wait.seconds", "n", 2), "Try again in 2 seconds."},
		{h.Say("de", "age.days", "n", 1), "gestern"},
		{h.Say("de", "age.days", "n", 45), "vor 45 Tagen"},
	} {
		if tt.got != tt.want {
			t.Errorf("said %q, want %q", tt.got, tt.want)
		}
	}
	h.lang = "de"
	if body := bodyOf(t, h.signIn().get("/auth/account")); !strings.Contains(body, `<time datetime="2026-11-21T14:03:00Z">21. Nov. 2026, 14:03 Uhr UTC</time>`) {
		t.Errorf("the time does not name its zone, or is not German:\n%s", body)
	}
}

// What a person has chosen outweighs the browser, on pages and on what the chain refuses, while they are signed in.
func TestChosenLanguageOutweighsTheBrowser(t *testing.T) {
	h := newHouse(t)
	h.lang = "en-GB"
	h.ask.Person.Language = "de"
	if got := h.get("/auth/login").Header.Get("Content-Language"); got != "en" {
		t.Errorf("before sign-in the page is in %q, want the browser's", got)
	}
	h.signIn()
	h.ask.Person.Language = "de"
	if got := h.get("/auth/account").Header.Get("Content-Language"); got != "de" {
		t.Errorf("the account is in %q, want de", got)
	}
	if got := h.get("/auth/problems/none").Header.Get("Content-Language"); got != "de" {
		t.Errorf("an error is in %q, want de", got)
	}
}

func TestLanguageIsTheOneAskedFor(t *testing.T) {
	for asked, want := range map[string]string{
		"": "en", "de": "de", "de-AT,en;q=0.5": "de", "en-GB,de;q=0.9": "en", "fr,de;q=0.7,en;q=0.3": "de", "fr": "en",
		"en;q=0.2,de;q=0.8": "de", "*": "en", "<script>": "en", "de;q=x": "en", strings.Repeat("de,", 100): "en",
	} {
		h := newHouse(t)
		res := h.get("/auth/login", "Accept-Language", asked)
		if got := res.Header.Get("Content-Language"); got != want || !strings.Contains(bodyOf(t, res), `<html lang="`+want+`">`) {
			t.Errorf("Accept-Language %q is answered in %q, want %q", asked, got, want)
		}
		if !slices.Contains(res.Header.Values("Vary"), "Accept-Language") {
			t.Errorf("Vary = %q", res.Header.Values("Vary"))
		}
	}
}
