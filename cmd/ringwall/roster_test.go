package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ringwall/ringwall/password"
)

// readRoster reads a file to its end: the people, what was refused by place, and what ended it.
func readRoster(t testing.TB, in io.Reader, options rosterOptions) (people []personRow, refused map[string]string, err error) {
	t.Helper()
	if options.now == nil {
		options.now = func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	}
	list, err := openRoster(in, options)
	if err != nil {
		return nil, nil, err
	}
	refused = map[string]string{}
	for {
		person, at, err := list.next()
		fault, isFault := errors.AsType[rowFault](err)
		switch {
		case errors.Is(err, io.EOF):
			return people, refused, nil
		case isFault:
			refused[at] = fault.Error()
		case err != nil:
			return people, refused, err
		default:
			people = append(people, person)
		}
	}
}

const lockedThere = "locked where the account came from"

func micros(text string) int64 {
	n, err := readTime(text)
	if err != nil {
		panic(err)
	}
	return n
}

// The files are written after the documented formats of the four systems; every hash in them can be adopted.
func TestRostersOfOtherSystems(t *testing.T) {
	firebase, err := readFirebaseConfigOf(t)
	if err != nil {
		t.Fatal(err)
	}
	const bcrypted = "$2a$10$CBb9fP9oUjRyXEzjaYpQ.uOrlE8SYpOcOOqlY2AP2TjPKrvOXxpDy"
	ada := personRow{ID: "4f7a1b2c-0d3e-4a5b-8c6d-7e8f90a1b2c3", Email: "ada@example.org", Verified: true, DisplayName: "Ada Lovelace", Hash: bcrypted, CreatedAt: micros("2023-05-01T09:59:00.5Z")}
	for _, tt := range []struct {
		file, format string
		people       []personRow
		refused      map[string]string
	}{
		{"auth0.jsonl", formatAuth0, []personRow{
			{Email: "ada@example.org", Verified: true, Hash: "$2b$10$Z6hUTEEeoJXN5/AmSm/4.eZ75RYgFVriQM9LPhNEC7kbAbS/VAaJ2", PasswordChangedAt: micros("2021-03-05T16:35:16.775Z")},
			{Email: "grace@example.org", Verified: true, Hash: "$2b$10$CBb9fP9oUjRyXEzjaYpQ.uOrlE8SYpOcOOqlY2AP2TjPKrvOXxpDy", CreatedAt: micros("2020-01-31T09:30:00Z"), Locked: true, LockReason: lockedThere},
			{Email: "new@example.org", Hash: "$2b$10$CBb9fP9oUjRyXEzjaYpQ.uOrlE8SYpOcOOqlY2AP2TjPKrvOXxpDy"},
		}, nil},
		{"supabase.csv", formatSupabase, []personRow{
			ada,
			{ID: "5f7a1b2c-0d3e-4a5b-8c6d-7e8f90a1b2c3", Email: "grace@example.org", Verified: true, Hash: bcrypted, CreatedAt: micros("2023-05-01T09:59:00Z"), Locked: true, LockReason: lockedThere, LockUntil: micros("2123-05-01T09:59:00Z")},
			{ID: "7f7a1b2c-0d3e-4a5b-8c6d-7e8f90a1b2c3", Email: "new@example.org", Hash: bcrypted, CreatedAt: micros("2023-05-01T09:59:00Z")},
		}, map[string]string{"line 4": "deleted_at: the account was deleted there"}},
		{"supabase.jsonl", formatSupabase, []personRow{ada}, nil},
		{"firebase.json", formatFirebase, []personRow{
			{Email: "ada@example.org", Verified: true, DisplayName: "Ada Lovelace", CreatedAt: micros("2017-02-05T20:03:18.123Z"),
				Hash: "$firebase-scrypt$ln=14,r=8$42xEC+ixf3L2lw==$Bw==$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="},
			{Email: "grace@example.org", Verified: true, CreatedAt: micros("2017-02-05T20:03:18Z"), Locked: true, LockReason: lockedThere},
		}, map[string]string{"user 3": "email: the account has no address"}},
		{"keycloak.json", formatKeycloak, []personRow{
			{ID: "0b1d6b1e-33d5-4f04-a1c5-2c8e6c2f4c11", Email: "ada@example.org", Verified: true, DisplayName: "Ada Lovelace", Language: "de",
				CreatedAt: micros("2023-11-14T22:13:20.123Z"), PasswordChangedAt: micros("2023-11-14T22:13:21.456Z"),
				Hash: "$pbkdf2-sha256$i=1500$MDEyMzQ1Njc4Ofvv//4+Pw==$yi/gS/PXTTEiPVPGxpqKL67VpLKC3CaMsZm07Ab46NC9hhSG8RG2ymJHTLawTo5TrclBsoomgSv4ygwNIDmKaw=="},
			{ID: "1b1d6b1e-33d5-4f04-a1c5-2c8e6c2f4c11", Email: "grace@example.org", Verified: true, CreatedAt: micros("2023-11-14T22:13:20Z"), PasswordChangedAt: micros("2023-11-14T22:13:20Z"),
				Hash: "$argon2id$v=19$m=1024,t=3,p=1$c29tZXNhbHQ=$hTSfg0+ZxUVA6Ay8Et01seNt2tx1T18Xh5elxNhrNJk=", Locked: true, LockReason: lockedThere},
		}, map[string]string{"user 3": "serviceAccountClientId: it is the account of a client, not of a person"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			file, err := os.Open(filepath.Join("testdata", "rosters", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			people, refused, err := readRoster(t, file, rosterOptions{format: tt.format, firebase: firebase})
			if diff := cmp.Diff(tt.people, people, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("people: %v\n%s", err, diff)
			}
			if tt.refused == nil {
				tt.refused = map[string]string{}
			}
			if diff := cmp.Diff(tt.refused, refused); diff != "" {
				t.Errorf("refused:\n%s", diff)
			}
			for _, p := range people {
				if _, err := password.Adopt(p.Hash); p.Hash != "" && err != nil {
					t.Errorf("Adopt of the hash of %s = %v", p.Email, err)
				}
			}
		})
	}
	if _, _, err := readRoster(t, strings.NewReader(`{"users":[{"email":"a@example.org","passwordHash":"AAAA","salt":"AAAA"}]}`), rosterOptions{format: formatFirebase}); !errors.Is(err, errFirebaseConfig) {
		t.Errorf("hashes of Firebase without the project's parameters: %v", err)
	}
}

func readFirebaseConfigOf(t *testing.T) (*firebaseConfig, error) {
	t.Helper()
	text, err := os.ReadFile("testdata/rosters/firebase-config.txt")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readFirebaseConfig(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read = %v, want a refusal with its mend", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return readFirebaseConfig(path)
}

// Whatever is wrong with one row keeps no other out, and is told with its place and without its text.
func TestBrokenRowsAreToldAndPassedOver(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	good := func(n string) personRow { return personRow{Email: n + "@example.org", Verified: true} }
	for _, tt := range []struct {
		name, text string
		people     []personRow
		refused    map[string]string
	}{
		{"byte order mark, CRLF, empty lines, no end of line", "\uFEFFemail,email_verified\r\na@example.org,true\r\n\r\nb@example.org,1", []personRow{good("a"), good("b")}, nil},
		{"broken UTF-8", "email,email_verified\n\xff\xfe@example.org,true\nb@example.org,t\n", []personRow{good("b")}, map[string]string{"line 2": "row: not UTF-8"}},
		{"a line of a megabyte", "email,email_verified\n" + long + ",true\nb@example.org,yes\n", []personRow{good("b")}, map[string]string{"line 2": "row: longer than 65536 bytes"}},
		{"a megabyte as the last line", "email,email_verified\nb@example.org,yes\n" + long, []personRow{good("b")}, map[string]string{"line 3": "row: longer than 65536 bytes"}},
		{"too few cells", "email,email_verified\na@example.org\nb@example.org,true\n", []personRow{good("b")}, map[string]string{"line 2": "row: 1 cells, and the first line names 2"}},
		{"no truth", "email,email_verified\na@example.org,secret-hash\nb@example.org,true\n", []personRow{good("b")}, map[string]string{"line 2": "email_verified: neither true nor false"}},
		{"no time", "email,email_verified,created_at\na@example.org,true,yesterday\nb@example.org,true,\n", []personRow{good("b")}, map[string]string{"line 2": "created_at: not a time such as 2026-01-31T12:00:00Z"}},
		{"a time that is beyond 9999 or before 0 in UTC, and could not be written back", "email,email_verified,created_at\na@example.org,true,9999-12-31T23:59:59-23:59\na@example.org,true,0000-01-01 00:00:00+23\nb@example.org,true,\n",
			[]personRow{good("b")}, map[string]string{"line 2": "created_at: not a time such as 2026-01-31T12:00:00Z", "line 3": "created_at: not a time such as 2026-01-31T12:00:00Z"}},
		{"a quotation mark in the middle", "email,email_verified\na\"b\"@example.org,true\nb@example.org,true\n", []personRow{good("b")}, map[string]string{"line 2": "row: its quotation marks are not those of CSV"}},
		{"a quotation mark that never ends", "email,email_verified\nb@example.org,true\n\"a@example.org,true\nc@example.org,true\n", []personRow{good("b")}, map[string]string{"line 3": "row: a quotation mark that is never closed; what follows it was left out"}},
		{"a record of two lines", "email,email_verified,lock_reason\n\"b@example.org\",true,\"two\nlines\"\na@example.org,true,\n", []personRow{{Email: "b@example.org", Verified: true, LockReason: "two\nlines"}, good("a")}, nil},
		{"JSON", `{"email":"a@example.org","email_verified":true,"roles":["admin"]}` + "\n\n{\n" + `{"email":7}` + "\n" + `{"email":"x","hash":"secret"}` + "\n" + `{"email":"b@example.org","email_verified":true}{}` + "\n[]\n" + `{"email":"b@example.org","email_verified":true}`,
			[]personRow{{Email: "a@example.org", Verified: true, Roles: []string{"admin"}}, good("b")},
			map[string]string{"line 3": "row: not a JSON object", "line 4": "email: is of another type than it should be", "line 5": `row: there is no member "hash"`, "line 6": "row: more than one object in a line", "line 7": "row: not a JSON object"}},
		{"JSON that two parsers read differently", `{"email":"b@example.org","email_verified":true}` + "\n" + `{"email":"a@example.org","email":"c@example.org"}` + "\n" + `{"email":"a@example.org","Email":"c@example.org"}` + "\n" +
			`{"email":"a@example.org","metadata":{"plan":1,"plan":2}}` + "\n" + `{"email":"a@example.org"}}` + "\n" + `{"email":"a@example.org","roles":["admin",7]}`, []personRow{good("b")},
			map[string]string{"line 2": "row: an object in it has the same member twice", "line 3": `row: there is no member "Email"`, "line 4": "row: an object in it has the same member twice",
				"line 5": "row: more than one object in a line", "line 6": "roles: is of another type than it should be"}},
		{"nothing said of the address", "email\na@example.org\n", []personRow{{Email: "a@example.org"}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			people, refused, err := readRoster(t, strings.NewReader(tt.text), rosterOptions{format: formatAuto})
			if tt.refused == nil {
				tt.refused = map[string]string{}
			}
			if diff := cmp.Diff(tt.people, people, cmpopts.EquateEmpty()) + cmp.Diff(tt.refused, refused); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
	for name, text := range map[string]string{
		"UTF-16":                 "\xff\xfee\x00m\x00",
		"an unknown column":      "email,passwort\n",
		"a column twice":         "email,email\n",
		"no column email":        "display_name\n",
		"nothing":                "",
		"no names at all":        strings.Repeat("x", 1<<20),
		"an open quotation mark": `"email`,
	} {
		if _, _, err := readRoster(t, strings.NewReader(text), rosterOptions{format: formatAuto}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, text := range map[string]string{
		"cut off in the list":     `{"users":[{"email":"a@example.org"},`,
		"cut off behind the list": `{"users":[{"email":"a@example.org"}`,
		"no users":                `{"realm":"x"}`,
		"a list":                  `[]`,
		"nothing":                 ``,
		"no JSON":                 `{"users":[{]}`,
		"somebody of megabytes":   `{"users":[{"email":"` + strings.Repeat(long, 3) + `"}]}`,
		"something of megabytes":  `{"realm":"` + strings.Repeat(long, 3) + `"}`,
	} {
		if _, _, err := readRoster(t, strings.NewReader(text), rosterOptions{format: formatKeycloak}); err == nil || strings.Contains(err.Error(), "xxx") {
			t.Errorf("%s = %v, want an error that does not repeat it", name, err)
		}
	}
}

// endless is a file that never ends.
type endless struct {
	head string
	unit string
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.left--; e.left < 0 {
		return 0, io.EOF
	}
	return copy(p, e.unit), nil
}

// 256 MiB without a line end, and as a single value of a document: what is held stays small.
func TestHugeFilesTakeLittleMemory(t *testing.T) {
	unit := strings.Repeat("x", 4096)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for format, head := range map[string]string{formatAuto: "email\n", formatJSON: "{", formatKeycloak: `{"a":"`, formatFirebase: `{"users":[{"email":"`} {
		_, _, err := readRoster(t, &endless{head: head, unit: unit, left: 1 << 16}, rosterOptions{format: format})
		if (format == formatKeycloak || format == formatFirebase) != errors.Is(err, errElement) {
			t.Errorf("%s: %v", format, err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 48<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
}

// Nothing that somebody hands us makes a reader panic, hang, or repeat what it read; and what is written reads back.
func FuzzRoster(f *testing.F) {
	files, err := filepath.Glob("testdata/rosters/*")
	if err != nil || len(files) < 5 {
		f.Fatalf("%d files, %v", len(files), err)
	}
	formats := []string{formatAuto, formatCSV, formatJSON, formatAuth0, formatSupabase, formatFirebase, formatKeycloak}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i := range formats {
			f.Add(byte(i), text)
		}
	}
	f.Add(byte(0), []byte("email,email_verified,roles\na@example.org,true,\"a b\"\n"))
	f.Add(byte(1), []byte("email,display_name\na,"+strings.Repeat("\x01", recordMaxBytes/6)+"\n")) // longer in JSON than a line may be
	f.Fuzz(func(t *testing.T, format byte, text []byte) {
		options := rosterOptions{format: formats[int(format)%len(formats)], firebase: &firebaseConfig{rounds: 8, memCost: 14}}
		people, _, _ := readRoster(t, strings.NewReader(string(text)), options)
		var want []personRow
		var out strings.Builder
		for _, p := range people {
			metadata := jsontext.Value(p.Metadata)
			if p.Metadata != "" && !metadata.IsValid() {
				continue // a cell of CSV holds any text; the library refuses it
			}
			if err := metadata.Compact(); p.Metadata != "" && err != nil {
				t.Fatal(err)
			}
			p.Metadata = string(metadata)
			if len(p.Roles) == 0 {
				p.Roles = nil
			}
			var line strings.Builder
			if err := jsonWriter(&line)(ownOf(p)); err != nil {
				t.Fatal(err)
			}
			if line.Len() <= recordMaxBytes {
				want = append(want, p)
				out.WriteString(line.String())
			}
		}
		again, refused, err := readRoster(t, strings.NewReader(out.String()), rosterOptions{format: formatJSON})
		if err != nil || len(refused) > 0 {
			t.Fatalf("%.999q reads back with the faults %v, %v", out.String(), refused, err)
		}
		if !reflect.DeepEqual(want, again) { // cmp takes minutes for a megabyte of people
			t.Errorf("reads back otherwise:\n%s", cmp.Diff(want, again))
		}
	})
}

func TestProgressTellsRateAndRest(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	p := newProgress(&out, "rows", func() (int64, int64) { return 250, 1000 })
	p.now, p.begun, p.told = func() time.Time { return now }, now, now
	now = now.Add(9 * time.Second)
	p.tell(900)
	if out.Len() > 0 {
		t.Errorf("told %q after nine seconds, to what is no terminal", out.String())
	}
	now = now.Add(time.Second)
	p.tell(1000)
	p.tell(1001)
	p.end()
	if want := "1000 rows, 100 a second, 25%, about 30s left\n"; out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
}
