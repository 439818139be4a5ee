package audit

import (
	"log/slog"
	"time"
)

// AppID names us in log lines.
const AppID = "ringwall"

// LogAttrs is the row in the field names of the OWASP logging vocabulary, without personal fields: for a line per event.
// Put them into a group ([Row.LogValue] is one), because handlers write a level of their own.
func LogAttrs(row Row) []slog.Attr {
	e, _ := entry(Name(row.Name))
	user := row.User
	if user.IsZero() {
		user = row.ActorUser
	}
	event := clean(row.Name)
	if !user.IsZero() {
		event += ":" + user.String()
		if e.reasoned && row.Reason != "" {
			event += "," + clean(row.Reason)
		}
	}
	attrs := []slog.Attr{
		slog.String("datetime", time.UnixMicro(row.TimeMicros).UTC().Format("2006-01-02T15:04:05.000000-07:00")),
		slog.String("appid", AppID),
		slog.String("event", event),
		slog.String("level", string(e.Level)),
		slog.String("description", e.Describe),
		slog.String("event_id", row.ID.String()),
		slog.String("actor", row.Actor()),
	}
	optional := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, clean(value)))
		}
	}
	optional("request_id", row.RequestID)
	optional("route", row.Route)
	optional("reason", row.Reason)
	if !row.Session.IsZero() {
		attrs = append(attrs, slog.String("session", row.Session.String())) // its public id: the token is stored nowhere
	}
	if row.Count > 1 {
		attrs = append(attrs, slog.Int64("count", row.Count))
	}
	return attrs
}

// Actor is who acted: the kind, and the id of a person or the name of an operator's account or a worker.
func (r Row) Actor() string {
	switch {
	case !r.ActorUser.IsZero():
		return clean(r.ActorKind) + ":" + r.ActorUser.String()
	case r.ActorName != "":
		return clean(r.ActorKind) + ":" + clean(r.ActorName)
	default:
		return clean(r.ActorKind)
	}
}
