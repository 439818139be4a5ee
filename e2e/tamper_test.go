package e2e_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// finding is one fault of audit.verify.
type finding struct {
	kind      string
	seq, seal float64
	detail    string
}

func verify(t *testing.T, s *ringwalltest.Server, head string) (findings []finding, report object) {
	t.Helper()
	report = operate(t, s, "audit.verify", object{"head": head})
	for _, f := range report["faults"].([]any) {
		o := f.(object)
		seq, _ := o["seq"].(float64)
		seal, _ := o["seal"].(float64)
		findings = append(findings, finding{o["kind"].(string), seq, seal, o["detail"].(string)})
	}
	if (len(findings) == 0) != (report["ok"] == true) {
		t.Errorf("audit.verify says ok %v with %d faults", report["ok"], len(findings))
	}
	return findings, report
}

func sealed(t *testing.T, s *ringwalltest.Server) {
	t.Helper()
	within(t, 35*time.Second, "everything is sealed", func() bool { return operate(t, s, "audit.verify", object{})["waiting"] == 0.0 })
}

// history makes a log of some batches and returns the numbers of its rows.
func history(t *testing.T, s *ringwalltest.Server, db *sql.DB) (seqs []int64) {
	t.Helper()
	for i := range 4 {
		for j := range 3 {
			operate(t, s, "user.create", object{"email": fmt.Sprintf("h%d-%d@example.org", i, j), "password": ringwalltest.Password})
		}
		sealed(t, s)
	}
	rows, err := db.Query(`SELECT seq FROM ringwall_audit ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, seq)
	}
	if len(seqs) < 12 || count(t, db, `SELECT COUNT(*) FROM ringwall_audit_seals`) < 4 {
		t.Fatalf("%d rows in too few seals", len(seqs))
	}
	return seqs
}

const auditColumns = `tx, id, time_micros, name, actor_kind, actor_name, actor_user, user_id, session_id, request_id, route, reason, count, personal, mark`

// S069: whoever changes, removes, inserts or replaces something, with every right in the database, is told on by name.
func TestTamperingIsNamed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		log := &logBuffer{}
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Log: log.logger()})
		admin := onDatabase(t, db)
		seqs := history(t, s, admin)
		if found, _ := verify(t, s, ""); len(found) != 0 {
			t.Fatalf("an honest log: %v", found)
		}
		overriding, newID := "", "randomblob(16)"
		if db.Engine == "postgres" {
			overriding, newID = "OVERRIDING SYSTEM VALUE", `decode(md5(random()::text), 'hex')`
		}
		copyRow := func(to, from int64) string {
			return fmt.Sprintf(`INSERT INTO ringwall_audit (seq, %s) %s SELECT %d, %s FROM ringwall_audit WHERE seq = %d`,
				auditColumns, overriding, to, strings.Replace(auditColumns, " id,", " "+newID+",", 1), from)
		}
		victim, neighbour := seqs[4], seqs[5]
		fill := strings.NewReplacer("%[1]d", fmt.Sprint(victim), "%[2]d", fmt.Sprint(neighbour)).Replace
		for _, tt := range []struct {
			name  string
			do    []string
			undo  []string
			kinds []string // each with the number of the row or seal
		}{
			{"a reason is changed", []string{`UPDATE ringwall_audit SET reason = 'nothing' WHERE seq = %[1]d`}, []string{`UPDATE ringwall_audit SET reason = 'by operator' WHERE seq = %[1]d`}, []string{"row_changed %[1]d"}},
			{"a time is changed", []string{`UPDATE ringwall_audit SET time_micros = time_micros + 1 WHERE seq = %[1]d`}, []string{`UPDATE ringwall_audit SET time_micros = time_micros - 1 WHERE seq = %[1]d`}, []string{"row_changed %[1]d"}},
			{"who did it is taken out", []string{`UPDATE ringwall_audit SET actor_name = 'root' WHERE seq = %[1]d`}, []string{`UPDATE ringwall_audit SET actor_name = 'tester' WHERE seq = %[1]d`}, []string{"row_changed %[1]d"}},
			{"a count is changed", []string{`UPDATE ringwall_audit SET count = 2 WHERE seq = %[1]d`}, []string{`UPDATE ringwall_audit SET count = 1 WHERE seq = %[1]d`}, []string{"row_changed %[1]d"}},
			{"two rows are changed", []string{`UPDATE ringwall_audit SET reason = 'moved', session_id = id WHERE seq IN (%[1]d, %[2]d)`}, []string{`UPDATE ringwall_audit SET reason = 'by operator', session_id = NULL WHERE seq IN (%[1]d, %[2]d)`}, []string{"row_changed %[1]d", "row_changed %[2]d"}},
			{"the personal fields of another row are put in", []string{`CREATE TABLE kept AS SELECT * FROM ringwall_audit WHERE seq = %[1]d`, `UPDATE ringwall_audit SET personal = (SELECT personal FROM ringwall_audit WHERE seq = %[2]d) WHERE seq = %[1]d`},
				[]string{`UPDATE ringwall_audit SET personal = (SELECT personal FROM kept) WHERE seq = %[1]d`, `DROP TABLE kept`}, []string{"row_changed %[1]d"}},
			{"a row is removed", []string{`CREATE TABLE kept AS SELECT * FROM ringwall_audit WHERE seq = %[1]d`, `DELETE FROM ringwall_audit WHERE seq = %[1]d`},
				[]string{`INSERT INTO ringwall_audit (seq, ` + auditColumns + `) ` + overriding + ` SELECT seq, ` + auditColumns + ` FROM kept`, `DROP TABLE kept`}, []string{"row_removed %[1]d"}},
			{"a row is inserted before the others", []string{copyRow(seqs[0]-1, victim)}, []string{fmt.Sprintf(`DELETE FROM ringwall_audit WHERE seq = %d`, seqs[0]-1)}, []string{fmt.Sprintf("row_inserted %d", seqs[0]-1)}},
			{"a seal is changed", []string{`UPDATE ringwall_audit_seals SET created_micros = created_micros + 1 WHERE n = 2`}, []string{`UPDATE ringwall_audit_seals SET created_micros = created_micros - 1 WHERE n = 2`}, []string{"seal_broken 2"}},
			// Not to a number at the end: the server, which runs meanwhile, would seal after that one.
			{"a seal is renamed", []string{`UPDATE ringwall_audit_seals SET n = 0 WHERE n = 2`}, []string{`UPDATE ringwall_audit_seals SET n = 2 WHERE n = 0`}, []string{"seal_missing 2", "seal_broken 0"}},
		} {
			for _, statement := range tt.do {
				tell(t, admin, fill(statement))
			}
			found, _ := verify(t, s, "")
			for _, wanted := range tt.kinds {
				wanted = fill(wanted)
				named := false
				for _, f := range found {
					named = named || fmt.Sprintf("%s %.0f", f.kind, f.seq+f.seal) == wanted
				}
				if !named {
					t.Errorf("%s: audit.verify does not say %q but %v", tt.name, wanted, found)
				}
			}
			for _, statement := range tt.undo {
				tell(t, admin, fill(statement))
			}
			if found, _ := verify(t, s, ""); len(found) != 0 {
				t.Fatalf("%s, and undone: %v", tt.name, found)
			}
		}
		// A row that is put at the end, where the next seal takes it in, is told on by its mark, and in the log at once.
		last := seqs[len(seqs)-1]
		tell(t, admin, strings.Replace(strings.Replace(copyRow(last+1000, victim), "(seq, tx,", "(seq,", 1), ", tx, ", ", ", 1)) // as of now
		operateLater(t, s)
		within(t, 10*time.Second, "the log raises the alarm", func() bool { return log.contains("audit log: rows that no server of ours wrote") })
		found, _ := verify(t, s, "")
		if len(found) != 1 || found[0].kind != "row_forged" || found[0].seq != float64(last+1000) {
			t.Errorf("a forged row: %v, want it named", found)
		}
	})
}

// operateLater leaves an event behind everything that was inserted by hand.
func operateLater(t *testing.T, s *ringwalltest.Server) {
	t.Helper()
	operate(t, s, "user.grant", object{"user": "h0-0@example.org", "role": "editor"})
}

// A tail that was cut off while no server ran leaves a whole chain; a head that was kept elsewhere tells.
func TestACutTailIsFoundByItsHead(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		o := production(db)
		first := &logBuffer{}
		o.Log = first.logger()
		rw := open(t, o)
		make := func(address string) {
			t.Helper()
			if _, err := rw.Operate(t.Context(), "tester", "user.create", []byte(`{"email":"`+address+`","password":"`+ringwalltest.Password+`"}`)); err != nil {
				t.Fatal(err)
			}
		}
		make("one@example.org")
		admin := onDatabase(t, db)
		within(t, 10*time.Second, "the first is sealed", func() bool { return count(t, admin, `SELECT COUNT(*) FROM ringwall_audit_seals`) == 1 })
		kept := count(t, admin, `SELECT MAX(seq) FROM ringwall_audit`)
		make("two@example.org")
		closed(t, rw)
		_, after, found := strings.Cut(first.String()[strings.LastIndex(first.String(), `"msg":"audit head"`):], `"head":"`)
		head, _, _ := strings.Cut(after, `"`)
		if !found || !strings.HasPrefix(head, "2-") {
			t.Fatalf("the log tells no last head: %s", first)
		}
		again := func(what string, known string) string {
			t.Helper()
			next := open(t, production(db))
			defer closed(t, next)
			out, err := next.Operate(t.Context(), "tester", "audit.verify", []byte(`{"head":"`+known+`"}`))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			return string(out)
		}
		if out := again("whole", head); !strings.Contains(out, `"ok":true`) {
			t.Errorf("the whole log, against its head: %s", out)
		}
		tell(t, admin, `DELETE FROM ringwall_audit_seals WHERE n > 1`)
		tell(t, admin, `DELETE FROM ringwall_audit WHERE seq > $1`, kept)
		if out := again("cut", head); !strings.Contains(out, `"known_head_absent"`) || !strings.Contains(out, "cut off") {
			t.Errorf("a cut log, against the head that was kept: %s", out)
		}
		if _, err := open1(t, db).Operate(t.Context(), "tester", "audit.verify", []byte(`{"head":"2-zz"}`)); err == nil || strings.Contains(err.Error(), "zz") {
			t.Errorf("a head that is none = %v, want a refusal that does not repeat it", err)
		}
	})
}

// open1 is an instance that ends with the test.
func open1(t *testing.T, db testdb.DB) *ringwall.Ringwall {
	t.Helper()
	rw := open(t, production(db))
	t.Cleanup(func() { closed(t, rw) })
	return rw
}

// A tail that is cut while a server runs is noticed by itself: the log raises an alarm, and the chain shows the gap.
func TestATailCutUnderARunningServerIsNoticed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		log := &logBuffer{}
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Log: log.logger()})
		admin := onDatabase(t, db)
		seqs := history(t, s, admin)
		tell(t, admin, `DELETE FROM ringwall_audit_seals WHERE n >= 3`)
		tell(t, admin, `DELETE FROM ringwall_audit WHERE seq >= $1`, seqs[6])
		operateLater(t, s)
		within(t, 10*time.Second, "the log raises the alarm", func() bool { return strings.Contains(log.String(), `"level":"ERROR"`) && log.contains("audit") })
		within(t, 10*time.Second, "the gap shows", func() bool {
			found, _ := verify(t, s, "")
			return len(found) > 0
		})
	})
}

// S069, C214: a flood of refusals is counted; it can fill neither the log nor the disk, and keeps nobody else out.
func TestTenThousandFailedSignIns(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Log: (&logBuffer{}).logger()})
		owner := s.SignIn("owner@example.org")
		s.SignUp("flood@example.org")
		admin := onDatabase(t, db)
		before := count(t, admin, `SELECT COUNT(*) FROM ringwall_audit`)
		counters := count(t, admin, `SELECT COUNT(*) FROM ringwall_attempts`)
		var left, refused, failed atomic.Int64
		left.Store(10_000)
		var all sync.WaitGroup
		begun := time.Now()
		try := func() (status int) {
			r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/auth/v1/login", strings.NewReader(`{"email":"flood@example.org","password":"not the password, surely"}`))
			if err != nil {
				t.Error(err)
				return 0
			}
			r.Header.Set("Content-Type", "application/json")
			return ask(s.Ringwall.Handler(), r)
		}
		for range 16 {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					status := try()
					for again := 0; status == 503 && again < 3000; again++ { // the hash queue is full with the first: nobody looked at it
						time.Sleep(10 * time.Millisecond)
						status = try()
					}
					switch status {
					case 429:
						refused.Add(1)
					case 401:
						failed.Add(1)
					default:
						t.Errorf("a failed sign-in = %d", status)
						return
					}
				}
			})
		}
		all.Wait()
		t.Logf("10,000 failed sign-ins in %v", time.Since(begun).Round(time.Millisecond))
		looked := failed.Load() + refused.Load()
		if failed.Load() > 5 || looked != 10_000 {
			t.Errorf("%d were tried and %d refused, want at most 5 tries of 10,000", failed.Load(), refused.Load())
		}
		want(t, "the owner meanwhile", owner.Get("/"), 200, "")
		s.Clock.Advance(61 * time.Second) // the minute is over
		want(t, "one more", login(s.Client(), "flood@example.org", ringwalltest.Password), 429, "too-many-requests")
		var told int
		within(t, 10*time.Second, "what was counted is told", func() bool {
			told = count(t, admin, `SELECT COALESCE(SUM(count), 0) FROM ringwall_audit WHERE name LIKE 'authn_login_fail%' OR name = 'authn_login_lock'`)
			return int64(told) >= looked+1
		})
		if int64(told) != looked+1 {
			t.Errorf("%d refusals are told, want %d", told, looked+1)
		}
		minutes := int(time.Since(begun).Minutes()) + 2
		if rows := count(t, admin, `SELECT COUNT(*) FROM ringwall_audit`) - before; rows > 3*2*minutes { // three events, two rows each a minute
			t.Errorf("10,000 failed sign-ins wrote %d rows", rows)
		}
		if made := count(t, admin, `SELECT COUNT(*) FROM ringwall_attempts`) - counters; made > 1 {
			t.Errorf("they made %d counters, want 1", made)
		}
	})
}
