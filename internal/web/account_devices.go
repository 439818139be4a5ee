package web

import (
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sessions"
)

// device is a session as people see it.
type device struct {
	ID          string
	Label, Icon string
	Address     string
	First, Last moment
	Here        bool
	Remembered  bool
}

func (v *visit) describe(s sessions.Session) device {
	return device{
		ID: s.ID.String(), Label: v.deviceLabel(s.UserAgent), Icon: deviceIcon(s.UserAgent), Address: s.Address,
		First: v.lang.moment(s.CreatedMicros), Last: v.lang.moment(s.LastSeenMicros),
		Here: s.ID == v.ask.Session.ID, Remembered: s.Remembered,
	}
}

// deviceLabel is "Chrome on Android" in the reader's language.
func (v *visit) deviceLabel(userAgent string) string {
	browser, system, ok := strings.Cut(sessions.DeviceLabel(userAgent), " on ")
	switch {
	case browser == "Unknown device":
		return v.lang.say("device.unknown")
	case browser == "A program":
		browser = v.lang.say("device.program")
	}
	if !ok {
		return browser
	}
	return v.lang.say("device.label", "browser", browser, "system", system)
}

// deviceIcon chooses one of the four pictures.
func deviceIcon(userAgent string) string {
	has := func(marks ...string) bool {
		for _, mark := range marks {
			if strings.Contains(userAgent, mark) {
				return true
			}
		}
		return false
	}
	switch {
	case has("iPad", "Tablet") || has("Android") && !has("Mobile"):
		return "tablet"
	case has("Mobile", "iPhone"):
		return "phone"
	case has("Mozilla/"):
		return "computer"
	default:
		return "program"
	}
}

// device answers GET /account/devices/{id}: it asks once, and names the thing.
func (v *visit) device() {
	list, err := v.web.Accounts.Sessions(v.r.Context(), v.by())
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	for _, session := range list {
		if session.ID.String() == v.r.PathValue("id") && session.ID != v.ask.Session.ID {
			p := v.page("device")
			p.Body = v.describe(session)
			v.show(http.StatusOK, p)
			return
		}
	}
	v.web.Fail(v.w, v.r, noDevice())
}

// postDevice answers POST /account/devices/{id}.
func (v *visit) postDevice() {
	if !v.press() {
		return
	}
	id, err := identity.ParseID(v.r.PathValue("id"))
	if err != nil {
		v.web.Fail(v.w, v.r, noDevice())
		return
	}
	if err := v.web.Accounts.RevokeSession(v.r.Context(), v.by(), id); err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	v.seeOther("/account", "device-signed-out", "")
}

func noDevice() error {
	return problem.New(problem.Missing, "not-found", "There is nothing here that you may see.")
}

// otherDevices answers GET /account/other-devices: it asks once, and names each.
func (v *visit) otherDevices() {
	list, err := v.web.Accounts.Sessions(v.r.Context(), v.by())
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	var others []device
	for _, session := range list {
		if d := v.describe(session); !d.Here {
			others = append(others, d)
		}
	}
	if len(others) == 0 {
		v.seeOther("/account", "", "")
		return
	}
	p := v.page("other_devices")
	p.Body = others
	v.show(http.StatusOK, p)
}

// postOtherDevices answers POST /account/other-devices.
func (v *visit) postOtherDevices() {
	if !v.press() {
		return
	}
	if err := v.web.Accounts.RevokeOtherSessions(v.r.Context(), v.by()); err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	v.seeOther("/account", "devices-signed-out", "")
}
