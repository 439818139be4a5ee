package wall_test

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/examples/invoices/wall"
	"github.com/ringwall/ringwall/internal/testdb"
)

var update = flag.Bool("update", false, "write docs/rings.md and docs/rings.svg")

// start starts a world behind TLS servers of its own: the application, a sibling host of the same site, and another site.
func start(t *testing.T, f *traffic, db testdb.DB) *wall.World {
	t.Helper()
	var world *wall.World
	serve := func(h http.HandlerFunc) (port string) {
		server := httptest.NewUnstartedServer(f.count(h))
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		server.StartTLS()
		t.Cleanup(server.Close)
		at, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		return at.Port()
	}
	app := serve(func(w http.ResponseWriter, r *http.Request) { world.ServeHTTP(w, r) })
	elsewhere := serve(func(w http.ResponseWriter, r *http.Request) { world.Elsewhere().ServeHTTP(w, r) })
	dialer := net.Dialer{}
	config := wall.Config{
		App: "https://app.example.test:" + app, Sibling: "https://blog.example.test:" + elsewhere, Evil: "https://evil.test:" + elsewhere, Dir: t.TempDir(),
		Client: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				return dialer.DialContext(ctx, network, "127.0.0.1:"+port)
			},
		},
		Log: slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	if db.Engine == "postgres" {
		config.Database, config.Owner, config.Role = db.DSN, db.OwnerDSN, testdb.RuntimeRole
	}
	made, err := wall.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	world = made
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := world.Close(ctx); err != nil {
			t.Errorf("close the world: %v", err)
		}
	})
	return world
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(line []byte) (int, error) {
	defer func() { _ = recover() }() // the test may have ended before the last line
	w.t.Logf("%s", line)
	return len(line), nil
}

// row is what became of one class.
type row struct {
	wall.Class
	AllOff, AllOn bool            // harm?
	Off, Alone    map[string]bool // harm, by layer
}

// TestTheWall attacks: all layers off, harm; all on, none; each that stops taken away, none; each alone, none; each that is
// said to make it smaller alone, harm. The table and the picture of docs are made of what happened.
func TestTheWall(t *testing.T) {
	classes, err := wall.Classes()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]row, len(classes))
	t.Run("class", func(t *testing.T) {
		for i, class := range classes {
			t.Run(class.ID, func(t *testing.T) {
				t.Parallel()
				rows[i] = attackAll(t, class, testdb.DB{})
			})
		}
	})
	if t.Failed() || slices.ContainsFunc(rows, func(r row) bool { return r.ID == "" }) {
		return // part of the table is not there: with -run of one class, or after a failure
	}
	for name, text := range map[string]string{"rings.md": document(rows), "rings.svg": picture(rows)} {
		file := filepath.Join("..", "..", "..", "docs", name)
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if have, err := os.ReadFile(file); err != nil || string(have) != text {
			t.Errorf("docs/%s is not what happened: run this test with -update, and look at what changed (%v)", name, err)
		}
	}
}

// On PostgreSQL the database is a layer too.
func TestTheWallOnPostgres(t *testing.T) {
	classes, err := wall.Classes()
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range classes {
		if len(class.Postgres) > 0 {
			t.Run(class.ID, func(t *testing.T) {
				class.Stops = slices.Concat(class.Stops, class.Postgres)
				attackAll(t, class, testdb.Postgres(t))
			})
		}
	}
}

func attackAll(t *testing.T, class wall.Class, db testdb.DB) row {
	if len(class.Stops) < 2 {
		t.Errorf("%d layers stop this class: two at least", len(class.Stops))
	}
	f := &traffic{}
	w, open := start(t, f, db), func() (wall.Browser, error) { return nil, fmt.Errorf("the class is not marked as one for browsers") }
	if class.Browser {
		opens := opener(t, f)
		open = func() (wall.Browser, error) { return opens() }
	}
	harm := func(what string, off wall.Off, want bool) bool {
		t.Helper()
		if err := w.Set(t.Context(), off); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got, err := w.Attack(t.Context(), class.ID, open)
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, transcript(got))
		}
		switch {
		case want && got.Harm == "":
			t.Errorf("%s: no harm, so that no layer can be shown here\n%s", what, transcript(got))
		case !want && got.Harm != "":
			t.Errorf("%s: harm: %s\n%s", what, got.Harm, transcript(got))
		}
		return got.Harm != ""
	}
	r := row{Class: class, Off: map[string]bool{}, Alone: map[string]bool{}}
	r.AllOn = harm("all on", nil, false)
	for _, event := range class.Records {
		if n, err := w.Recorded(t.Context(), event); err != nil || n == 0 {
			t.Errorf("all on: the audit log has no %s (%v)", event, err)
		}
	}
	for _, id := range class.Stops {
		r.Off[id] = harm(id+" off", wall.Off{id: true}, false)
	}
	r.AllOff = harm("all off", wall.All(), true)
	for _, id := range class.Stops {
		r.Alone[id] = harm(id+" alone", wall.Alone(id), false)
	}
	for _, id := range class.Limits {
		harm(id+" alone", wall.Alone(id), true) // or it would be one that stops
	}
	return r
}

func transcript(o wall.Outcome) string {
	var s strings.Builder
	for _, step := range o.Steps[max(0, len(o.Steps)-2):] {
		fmt.Fprintf(&s, "--- %s %s\n%.600s\n---\n%.1500s\n", step.Who, step.Does, step.Request, step.Response)
	}
	return s.String()
}
