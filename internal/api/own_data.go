package api

import (
	"context"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/sessions"
)

type linkInput struct {
	Token string `json:"token" required:"true" maxLength:"100" doc:"Of the mailed link."`
}

func (a *API) notMe(ctx context.Context, req *chain.Request, in linkInput) (reply[none], error) {
	return reply[none]{}, a.accounts.NotMe(ctx, req.Actor, in.Token, req.Lang())
}

func (a *API) keepAccount(ctx context.Context, req *chain.Request, in linkInput) (reply[none], error) {
	return reply[none]{}, a.accounts.Keep(ctx, req.Actor, in.Token)
}

func (a *API) secure(ctx context.Context, req *chain.Request, _ none) (reply[none], error) {
	return reply[none]{cookies: a.chain.Cookies.EndSession}, a.accounts.Secure(ctx, req.Actor, req.Lang())
}

type activityPage struct {
	Limit  int    `query:"limit" doc:"How many at most: 1 to 100, or 50."`
	Cursor string `query:"cursor" doc:"The next of the answer before."`
}

// readPath reads the query.
func (p *activityPage) readPath(r *http.Request) error {
	q := readQuery(r, "limit", "cursor")
	p.Limit, p.Cursor = q.limit(100), q.text("cursor", 2000)
	return q.err()
}

type activityInfo struct {
	At          string `json:"at" format:"date-time"`
	Event       string `json:"event" doc:"A name of docs/audit.md."`
	Description string `json:"description"`
	Device      string `json:"device" doc:"Empty: not known, or several."`
	IP          string `json:"ip" doc:"Empty: not known, or several."`
	Count       int64  `json:"count" doc:"How many failed attempts of a day this stands for; 1 for everything else."`
	By          string `json:"by,omitempty" doc:"An administrator, if it was one of them."`
	Current     bool   `json:"current,omitempty" doc:"It happened in the session of the request."`
}

type activityList struct {
	Activity []activityInfo `json:"activity"`
	Next     string         `json:"next,omitempty" doc:"Send it as cursor for what came before; missing at the end."`
}

func (a *API) activity(ctx context.Context, req *chain.Request, in activityPage) (reply[activityList], error) {
	found, next, err := a.accounts.Activity(ctx, req.Actor, in.Cursor, in.Limit)
	out := activityList{Activity: make([]activityInfo, 0, len(found)), Next: next}
	for _, f := range found {
		info := activityInfo{At: at(f.AtMicros), Event: string(f.Event), Description: audit.Describe(f.Event), IP: f.Address, Count: f.Count, Current: f.Current}
		if f.UserAgent != "" {
			info.Device = sessions.DeviceLabel(f.UserAgent)
		}
		if f.Operator {
			info.By = "an administrator"
		}
		out.Activity = append(out.Activity, info)
	}
	return reply[activityList]{body: &out}, err
}

type exportReply struct {
	account.ExportHead
	Activity []account.ExportEvent `json:"activity"`
}

// export streams: a history may be longer than what one would hold in memory.
func (a *API) export(w http.ResponseWriter, r *http.Request) {
	made, err := a.accounts.Export(r.Context(), chain.From(r.Context()).Actor)
	if err != nil {
		a.chain.Fail(w, r, err)
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h.Set("Content-Disposition", `attachment; filename="account.json"`)
	if made.Write(r.Context(), w) != nil {
		panic(http.ErrAbortHandler) // the client is gone, or must see that half is missing
	}
}

type deletionReply struct {
	DeleteAt string   `json:"delete_at" format:"date-time" doc:"Until then the link in the mail keeps the account."`
	Lost     []string `json:"lost" doc:"What is deleted then."`
}

func (a *API) deleteMe(ctx context.Context, req *chain.Request, in proofInput) (reply[deletionReply], error) {
	due, err := a.accounts.RequestDeletion(ctx, req.Actor, in.Password, req.Device, req.Lang())
	out := deletionReply{DeleteAt: due.UTC().Format(time.RFC3339), Lost: []string{"profile", "password", "roles", "metadata", "sessions", "devices", "activity"}}
	return reply[deletionReply]{body: &out, cookies: a.chain.Cookies.EndSession}, err
}
