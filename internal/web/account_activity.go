package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/account"
)

const activityRows = 40

// activityPage is what the list of one's own events says.
type activityPage struct {
	Days  []activityDay
	Older string // the address of what came before; empty at the end
	Later bool   // this is not the beginning
}

type activityDay struct {
	ID, Name string
	Events   []event
}

// event is something that happened, as people say it.
type event struct {
	What    string
	When    moment
	Device  string
	Icon    string
	Address string
	Here    bool // it happened in this session
	Admin   bool
	Doubt   bool // somebody else could have done it
}

// activity answers GET /account/activity.
func (v *visit) activity() {
	cursor := v.r.URL.Query().Get("cursor")
	list, next, err := v.web.Accounts.Activity(v.r.Context(), v.by(), cursor, activityRows)
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	body := activityPage{Later: cursor != ""}
	if next != "" {
		body.Older = v.web.link("/account/activity") + "?cursor=" + next // base64url
	}
	for _, a := range list {
		at := time.UnixMicro(a.AtMicros).UTC()
		name := v.lang.say("time.day", "day", at.Day(), "month", v.lang.say("month."+strconv.Itoa(int(at.Month()))), "year", at.Year())
		if n := len(body.Days); n == 0 || body.Days[n-1].Name != name {
			body.Days = append(body.Days, activityDay{ID: at.Format("day-2006-01-02"), Name: name})
		}
		day := &body.Days[len(body.Days)-1]
		day.Events = append(day.Events, v.event(a))
	}
	p := v.page("activity")
	p.Wide = true
	p.Body = body
	v.show(http.StatusOK, p)
}

func (v *visit) event(a account.Activity) event {
	e := event{
		What: v.eventText(a), When: v.lang.moment(a.AtMicros), Address: a.Address, Icon: deviceIcon(a.UserAgent),
		Here: a.Current, Admin: a.Operator, Doubt: a.Suspicious(),
	}
	if a.UserAgent != "" {
		e.Device = v.deviceLabel(a.UserAgent)
	}
	return e
}

// eventText is the sentence for an event and its reason, or for the event alone.
func (v *visit) eventText(a account.Activity) string {
	key := "activity." + string(a.Event)
	if reason := strings.NewReplacer(" ", "-", ",", "").Replace(a.Reason); reason != "" && v.lang.knows(key+"."+reason) {
		key += "." + reason
	}
	if !v.lang.knows(key) {
		return v.lang.say("activity.other")
	}
	return v.lang.say(key, "n", a.Count)
}
