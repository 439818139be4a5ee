package audit_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
)

// The end of the chain is cut while the server runs: it cries, and what it seals later shows the gap for good.
func TestSealerNoticesACutEnd(t *testing.T) {
	for name, keep := range map[string]int{"one seal is left": 1, "none is left": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, keys := newMemory(t, time.Now)
				s := start(m, keys)
				for range 3 {
					m.insert(event(t, m), 0)
					time.Sleep(time.Second)
				}
				m.set(func() { m.rows, m.seals = m.rows[:keep], m.seals[:keep] })
				m.insert(event(t, m), 0)
				time.Sleep(time.Second)
				s.end()
				if len(s.log.with("cut off")) != 1 {
					t.Error("no alarm in the log")
				}
				got := names(verify(t, m, keys, audit.VerifyOptions{}))
				if len(got) != 1 || got[0] != link(audit.SealMissing, int64(keep+1)) {
					t.Errorf("findings = %v", got)
				}
			})
		})
	}
}

// A seal that somebody else put at the end must neither stop the sealing nor hide rows from it.
func TestSealerGoesOnBehindAForgedSeal(t *testing.T) {
	for name, restart := range map[string]bool{"running": false, "restarted": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, keys := newMemory(t, time.Now)
				s := start(m, keys)
				for range 2 {
					m.insert(event(t, m), 0)
					time.Sleep(time.Second)
				}
				if restart {
					s.end()
				}
				m.set(func() {
					forged := m.seals[1]
					forged.N, forged.LastTx, forged.LastSeq = 3, farAway, farAway
					m.seals = append(m.seals, forged)
				})
				if restart {
					s = start(m, keys)
				}
				m.insert(event(t, m), 0)
				time.Sleep(time.Second)
				s.end()
				if len(s.log.with("changed or inserted")) != 1 {
					t.Error("no alarm in the log")
				}
				report := verify(t, m, keys, audit.VerifyOptions{})
				if got := names(report); len(got) != 1 || got[0] != link(audit.SealBroken, 3) || report.Fresh != 0 {
					t.Errorf("findings = %v, %d rows unsealed", got, report.Fresh)
				}
			})
		})
	}
}

func TestSealerRefusesAChainOfOtherKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := sealed(t, 2, 2)
		other := openKeys(t, &memory{}, "1b1d0ac4b7e2935066fb21cd7a3e94580b6cf2d18e37a9456d02bc1fe8759a33")
		s := start(m, other)
		m.insert(event(t, m), 0)
		time.Sleep(time.Minute)
		s.end()
		if _, seals, _ := m.count(); seals != 2 {
			t.Errorf("%d seals: it sealed on a chain that it cannot read", seals)
		}
		if got := s.log.with("cannot be sealed"); len(got) != 1 || !strings.Contains(got[0]["error"].(string), "audit verify") {
			t.Errorf("the log says %v", got)
		}
	})
}

func TestSealerCriesAboutForgedRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		forged := event(t, m)
		forged.Reason = "somebody else"
		m.insert(forged, 0)
		m.insert(event(t, m), 0)
		time.Sleep(time.Second)
		s.end()
		if got := s.log.with("no server of ours wrote"); len(got) != 1 || got[0]["first_seq"].(float64) != 1 {
			t.Errorf("the log says %v", got)
		}
		if got := names(verify(t, m, keys, audit.VerifyOptions{})); len(got) != 1 || got[0] != row(audit.Forged, 1) {
			t.Errorf("findings = %v", got)
		}
	})
}
