package audit_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"pgregory.net/rapid"
)

// flips gives a copy of a struct for each way to change one byte of one field.
func flips[T any](whole T) map[string]T {
	out := make(map[string]T)
	for i := range reflect.TypeFor[T]().NumField() {
		name := reflect.TypeFor[T]().Field(i).Name
		change := func(how string, f func(field reflect.Value)) {
			spoiled := whole
			f(reflect.ValueOf(&spoiled).Elem().Field(i))
			out[name+" "+how] = spoiled
		}
		switch field := reflect.ValueOf(whole).Field(i); field.Kind() {
		case reflect.Int64:
			for shift := range 8 {
				change(fmt.Sprint("byte ", shift), func(v reflect.Value) { v.SetInt(v.Int() ^ 1<<(8*shift)) })
			}
		case reflect.String:
			for at := range field.Len() {
				change(fmt.Sprint("byte ", at), func(v reflect.Value) {
					b := []byte(v.String())
					b[at] ^= 1
					v.SetString(string(b))
				})
			}
			change("longer", func(v reflect.Value) { v.SetString(v.String() + "\x00") })
		case reflect.Array:
			for at := range field.Len() {
				change(fmt.Sprint("byte ", at), func(v reflect.Value) { v.Index(at).SetUint(v.Index(at).Uint() ^ 1) })
			}
		case reflect.Slice:
			for at := range field.Len() {
				change(fmt.Sprint("byte ", at), func(v reflect.Value) {
					b := bytes.Clone(v.Bytes())
					b[at] ^= 1
					v.SetBytes(b)
				})
			}
			change("longer", func(v reflect.Value) { v.SetBytes(append(bytes.Clone(v.Bytes()), 0)) })
			if field.Len() > 0 {
				change("empty", func(v reflect.Value) { v.SetBytes(nil) })
				change("shorter", func(v reflect.Value) { v.SetBytes(v.Bytes()[:v.Len()-1]) })
			}
		default:
			panic("no way to change " + name)
		}
	}
	return out
}

func TestVerifyNamesEveryFlippedByteOfARow(t *testing.T) {
	honest, keys := sealed(t, 2, 3, 2)
	for how, spoiled := range flips(honest.rows[3]) {
		m := honest.copy()
		m.rows = slices.Delete(m.rows, 3, 4)
		m.put(spoiled)
		got := names(verify(t, m, keys, audit.VerifyOptions{}))
		want := row(audit.Changed, 4)
		if spoiled.Seq != 4 {
			want = row(audit.Removed, 4)
		}
		if !slices.Contains(got, want) {
			t.Errorf("%s: findings %v, want %v among them", how, got, want)
		}
	}
}

func TestVerifyNamesEveryFlippedByteOfASeal(t *testing.T) {
	honest, keys := sealed(t, 2, 3, 2)
	for how, spoiled := range flips(honest.seals[1]) {
		m := honest.copy()
		m.seals = slices.Delete(m.seals, 1, 2)
		if inserted, _ := m.InsertSeal(t.Context(), spoiled); !inserted {
			continue // the database keeps N unique
		}
		got := names(verify(t, m, keys, audit.VerifyOptions{}))
		want := link(audit.SealBroken, spoiled.N)
		if spoiled.N != 2 && !slices.Contains(got, link(audit.SealMissing, 2)) && spoiled.N != 1 {
			t.Errorf("%s: the gap is not named: %v", how, got)
		}
		if !slices.Contains(got, want) {
			t.Errorf("%s: findings %v, want %v among them", how, got, want)
		}
		for _, f := range got {
			if f.Seq == 1 || f.Seq == 6 {
				t.Errorf("%s: row %d of another seal is accused of %s", how, f.Seq, f.Kind)
			}
		}
	}
}

// Any single mutation of any log is found, and what it touched is named; an honest log stays unaccused.
func TestVerifyProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, keys := newMemory(t, time.Now)
		for range rapid.IntRange(1, 5).Draw(rt, "batches") {
			size := rapid.IntRange(1, 6).Draw(rt, "size")
			base := m.seq*20 + 10
			for range size { // transactions in an order of their own, later than those sealed before
				m.insert(event(t, m), base+rapid.Int64Range(0, 9).Draw(rt, "tx"))
			}
			seal(m, keys, time.Now)
		}
		if report := verify(t, m, keys, audit.VerifyOptions{}); !report.OK() {
			rt.Fatalf("an honest log is accused: %v", report.Findings)
		}
		known := verify(t, m, keys, audit.VerifyOptions{}).Head
		want := mutate(rt, t, m)
		got := names(verify(t, m, keys, audit.VerifyOptions{Known: &known}))
		if !slices.Contains(got, want) {
			rt.Fatalf("findings %v, want %v among them", got, want)
		}
	})
}

// mutate spoils the log in one way, and says what must be named.
func mutate(rt *rapid.T, t *testing.T, m *memory) named {
	at := rapid.IntRange(0, len(m.rows)-1).Draw(rt, "row")
	seq := m.rows[at].Seq
	n := rapid.IntRange(0, len(m.seals)-1).Draw(rt, "seal")
	switch rapid.SampledFrom([]string{"change", "remove", "insert", "change seal", "remove seal", "cut"}).Draw(rt, "mutation") {
	case "change":
		ways := flips(m.rows[at])
		keys := make([]string, 0, len(ways))
		for how := range ways {
			if !strings.HasPrefix(how, "Seq") {
				keys = append(keys, how)
			}
		}
		slices.Sort(keys)
		m.rows[at] = ways[rapid.SampledFrom(keys).Draw(rt, "how")]
		return row(audit.Changed, seq)
	case "remove":
		m.rows = slices.Delete(m.rows, at, at+1)
		return row(audit.Removed, seq)
	case "insert":
		r := event(t, m)
		r.Seq, r.Tx = m.seq+1, rapid.Int64Range(0, m.seals[len(m.seals)-1].LastTx-1).Draw(rt, "tx")
		m.put(r)
		return row(audit.Inserted, r.Seq)
	case "change seal":
		ways := flips(m.seals[n])
		keys := make([]string, 0, len(ways))
		for how := range ways {
			if !strings.HasPrefix(how, "N ") {
				keys = append(keys, how)
			}
		}
		slices.Sort(keys)
		m.seals[n] = ways[rapid.SampledFrom(keys).Draw(rt, "how")]
		return link(audit.SealBroken, m.seals[n].N)
	case "remove seal":
		gone := m.seals[n].N
		last := n == len(m.seals)-1
		m.seals = slices.Delete(m.seals, n, n+1)
		if last {
			return link(audit.HeadMissing, gone)
		}
		return link(audit.SealMissing, gone)
	default: // cut the end
		head := m.seals[len(m.seals)-1].N
		cut := m.seals[n]
		m.seals = m.seals[:n]
		m.rows = slices.DeleteFunc(m.rows, func(r audit.Row) bool { return r.Tx >= cut.LastTx })
		return link(audit.HeadMissing, head)
	}
}
