package ratelimit

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/problem"
)

// The fields of draft-ietf-httpapi-ratelimit-headers.
const (
	headerPolicy = "Ratelimit-Policy"
	headerLimit  = "Ratelimit"
)

// nameFields spells what does not change from answer to answer.
func (l *Limiter) nameFields() {
	policies := make([]string, len(l.windows))
	for i, w := range l.windows {
		l.labels[i] = l.name + "-" + short(w.Per)
		policies[i] = fmt.Sprintf("%q;q=%d;w=%d", l.labels[i], w.Quota, int64(w.Per/time.Second))
	}
	l.policy = slices.Clip([]string{strings.Join(policies, ", ")}) // so that an Add by a handler copies it
}

// Handler limits what reaches next, and sets the fields on every answer. What does not fit is answered 429.
func (l *Limiter) Handler(key KeyFunc, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := l.Admit(r.Context(), w.Header(), key(r), l.options.Cost(r)); err != nil {
			problem.Write(w, "/auth", "", err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Admit is [Limiter.Take] with [Limiter.SetFields], for whoever writes refusals in a form of their own: its error is the
// problem document of [Limiter.Handler], and nil if the try was admitted.
func (l *Limiter) Admit(ctx context.Context, h http.Header, key Key, cost int) error {
	d, _ := l.Take(ctx, key, cost) // an error is logged, and memory has decided
	l.SetFields(h, d)
	if !d.Admitted {
		return l.refusal(d)
	}
	return nil
}

// SetFields adds RateLimit-Policy and RateLimit to the headers of an answer; [Limiter.Handler] does so by itself. Several
// limits on one answer are one list.
func (l *Limiter) SetFields(h http.Header, d Decision) {
	var room [128]byte
	now := room[:0]
	for i := range l.windows {
		s, wait := d.Windows[i], d.Windows[i].Whole
		if !d.Admitted {
			if wait = s.Wait; wait == 0 {
				continue // this window would have admitted it
			}
		}
		if len(now) > 0 {
			now = append(now, ", "...)
		}
		now = append(append(append(now, '"'), l.labels[i]...), `";r=`...)
		now = append(strconv.AppendInt(now, int64(s.Left), 10), ";t="...)
		now = strconv.AppendInt(now, seconds(wait), 10)
	}
	h[headerPolicy] = join(h[headerPolicy], l.policy)
	h[headerLimit] = join(h[headerLimit], []string{string(now)})
}

// join is both lists. Lines may be shared by all answers, with no room behind them.
func join(have, lines []string) []string {
	if len(have) == 0 {
		return lines
	}
	return append(have, lines...)
}

// refusal is the problem quota-exceeded of the draft, with the member violated-policies that it defines. Its type is ours
// and ends like the draft's: every type of Ringwall leads to the page that explains it, and the draft's does not yet.
func (l *Limiter) refusal(d Decision) *problem.Error {
	e := problem.New(problem.TooMany, "quota-exceeded", "The quota of requests is used up. Come back when Retry-After says.").After(d.Wait)
	for i := range l.windows {
		if d.Windows[i].Wait > 0 {
			e.Violated = append(e.Violated, l.labels[i])
		}
	}
	return e
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
