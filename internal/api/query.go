package api

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

const (
	pageRows = 50
	mostRows = 500
)

// query reads the parameters of a list, and keeps what is wrong with them.
type query struct {
	values map[string][]string
	faults []problem.Field
}

// readQuery takes each parameter once and none besides the known: a filter that is not understood would show too much.
func readQuery(r *http.Request, known ...string) *query {
	q := &query{values: map[string][]string{}}
	sent := r.URL.Query()
	for _, name := range known {
		q.values[name] = sent[name]
		if len(sent[name]) > 1 {
			q.blame(name, "twice", "Send it once.")
		}
		delete(sent, name)
	}
	if len(sent) > 0 {
		q.blame("", "unknown", "There is a parameter here that this list does not know.")
	}
	return q
}

func (q *query) blame(name, code, detail string) {
	q.faults = append(q.faults, problem.Field{Name: name, Code: code, Detail: detail})
}

func (q *query) err() error {
	if len(q.faults) == 0 {
		return nil
	}
	return problem.New(problem.Invalid, "invalid", "Some parameters need another value.").With(q.faults...)
}

func (q *query) text(name string, most int) string {
	if len(q.values[name]) == 0 {
		return ""
	}
	text := q.values[name][0]
	if len(text) > most {
		q.blame(name, "too-long", "Send at most "+strconv.Itoa(most)+" bytes.")
	}
	return text
}

// read reads a parameter that is there.
func read[T any](q *query, name, code, detail string, parse func(string) (T, error)) (value T) {
	text := q.text(name, 100)
	if text == "" {
		return value
	}
	value, err := parse(text)
	if err != nil {
		q.blame(name, code, detail)
	}
	return value
}

func (q *query) limit(most int) int {
	mend := "Send a number from 1 to " + strconv.Itoa(most) + "."
	before := len(q.faults)
	n := read(q, "limit", "number", mend, strconv.Atoi)
	if len(q.faults) == before && (n < 0 || n > most || n == 0 && q.text("limit", 100) != "") {
		q.blame("limit", "number", mend)
	}
	if n == 0 {
		return pageRows
	}
	return n
}

func (q *query) moment(name string) time.Time {
	return read(q, name, "time", "Write it as 2026-03-12T09:41:00Z.", func(text string) (time.Time, error) { return time.Parse(time.RFC3339, text) })
}

type userQuery struct {
	Search string `query:"search" doc:"A part of the address or of the name."`
	Role   string `query:"role"`
	Locked *bool  `query:"locked" doc:"Only those who are locked, or who are not."`
	Limit  int    `query:"limit" doc:"1 to 500; 50 if it is missing."`
	Cursor string `query:"cursor" doc:"The next of an earlier page."`
}

func (in *userQuery) readPath(r *http.Request) error {
	q := readQuery(r, "search", "role", "locked", "limit", "cursor")
	in.Search, in.Role, in.Limit, in.Cursor = q.text("search", 254), q.text("role", 32), q.limit(mostRows), q.text("cursor", 2000)
	if q.text("locked", 5) != "" {
		locked := read(q, "locked", "boolean", "Send true or false.", func(text string) (bool, error) {
			if text != "true" && text != "false" {
				return false, strconv.ErrSyntax
			}
			return text == "true", nil
		})
		in.Locked = &locked
	}
	return q.err()
}

type auditQuery struct {
	User   identity.ID  `query:"user" doc:"Who acted, or to whom it happened."`
	IP     netip.Prefix `query:"ip" doc:"Where the actor came from: an address, or a network such as 203.0.113.0/24."`
	Event  string       `query:"event" doc:"Such as authz_fail; docs/audit.md lists them."`
	Since  time.Time    `query:"since"`
	Until  time.Time    `query:"until" doc:"Before this."`
	Limit  int          `query:"limit" doc:"1 to 500; 50 if it is missing."`
	Cursor string       `query:"cursor" doc:"The next of an earlier page."`
}

func (in *auditQuery) readPath(r *http.Request) error {
	q := readQuery(r, "user", "ip", "event", "since", "until", "limit", "cursor")
	in.User = read(q, "user", "format", "Send the id of a person.", identity.ParseID)
	in.IP = read(q, "ip", "address", "Send an address, or a network such as 203.0.113.0/24.", audit.ParseNetwork)
	in.Event, in.Since, in.Until = q.text("event", 64), q.moment("since"), q.moment("until")
	in.Limit, in.Cursor = q.limit(mostRows), q.text("cursor", 2000)
	return q.err()
}

type eventInfo struct {
	Seq         int64             `json:"seq"`
	Time        string            `json:"time" format:"date-time"`
	Event       string            `json:"event" doc:"A name of the OWASP logging vocabulary."`
	Level       string            `json:"level"`
	Description string            `json:"description"`
	Actor       string            `json:"actor" doc:"Such as person: and an id, or operator: and a system account."`
	User        string            `json:"user,omitempty" doc:"To whose account it happened."`
	Session     string            `json:"session,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	IP          string            `json:"ip,omitempty"`
	UserAgent   string            `json:"user_agent,omitempty"`
	Private     map[string]string `json:"private,omitempty" doc:"Details; an administrator's own words are its reason."`
	Count       int64             `json:"count" doc:"How many refusals it stands for."`
	RequestID   string            `json:"request_id,omitempty"`
}

type eventList struct {
	Events []eventInfo `json:"events"`
	Next   string      `json:"next,omitempty" doc:"Send it as cursor to go on; missing at the end of the log."`
}

func (a *API) adminAudit(ctx context.Context, req *chain.Request, in auditQuery) (reply[eventList], error) {
	found, next, err := a.accounts.Events(ctx, req.Actor, account.EventSearch{
		User: in.User, Name: audit.Name(in.Event), Address: in.IP, Since: in.Since, Until: in.Until, Limit: in.Limit, Cursor: in.Cursor,
	})
	out := eventList{Events: make([]eventInfo, 0, len(found)), Next: next}
	for _, e := range found {
		out.Events = append(out.Events, describeEvent(e))
	}
	return reply[eventList]{body: &out}, err
}

func describeEvent(e audit.Opened) eventInfo {
	optional := func(id identity.ID) string {
		if id.IsZero() {
			return ""
		}
		return id.String()
	}
	return eventInfo{
		Seq: e.Seq, Time: at(e.TimeMicros), Event: e.Name, Level: string(audit.LevelOf(audit.Name(e.Name))), Description: audit.Describe(audit.Name(e.Name)),
		Actor: e.Actor(), User: optional(e.User), Session: optional(e.Session), Reason: e.Reason,
		IP: e.Details.Address, UserAgent: e.Details.UserAgent, Private: e.Details.Private, Count: e.Count, RequestID: e.RequestID,
	}
}
