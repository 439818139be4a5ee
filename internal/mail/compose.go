package mail

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/internal/identity"
)

// detail is one line about the request behind a mail.
type detail struct{ Name, Value string }

// letter is what the two layouts print. Everything in it is plain text.
type letter struct {
	Lang, Subject, Greeting string
	Intro, List             []string
	Act, Link, LinkUntil    string
	CodeIntro, Code         string
	CodeUntil, CodeKeep     string
	DetailsTitle            string
	Details                 []detail
	NotYou                  string
	NotYouFirst             bool // the one act is for those who say "that was not me"
	Footer, Origin          string
}

// Compose writes a mail. Lang is a language tag such as "de-AT"; one without a catalogue means English. Each call makes
// a new id. A kind that is none makes a message without a subject, which no Sender takes.
func Compose(kind Kind, lang string, data Data) Message {
	h := theHouse()
	lang = h.language(lang)
	c := composer{words: h.words[lang], data: data, service: oneLine(data.Service, 80)}
	if c.service == "" {
		if origin, err := url.Parse(data.Origin); err == nil {
			c.service = origin.Host
		}
	}
	c.letter.Lang = lang
	if !c.write(kind) {
		return Message{ID: identity.NewID(), To: data.To}
	}
	c.frame(kind)

	var text, html strings.Builder
	if err := h.text.Execute(&text, c.letter); err != nil { // cannot happen: the writer takes all, and tests print every branch
		panic("mail: text layout: " + err.Error())
	}
	if err := h.html.Execute(&html, c.letter); err != nil {
		panic("mail: html layout: " + err.Error())
	}
	return Message{ID: identity.NewID(), To: data.To, Subject: c.letter.Subject, Text: text.String(), HTML: html.String()}
}

type composer struct {
	words   words
	data    Data
	service string
	letter  letter
}

func (c *composer) say(key string, pairs ...string) string {
	return c.words.say(key, append(pairs, "{service}", c.service)...)
}

// write says what the mail is about. Keys stand here in full: a test looks for each of them.
func (c *composer) write(kind Kind) bool {
	l := &c.letter
	switch kind {
	case ConfirmSignup:
		l.Subject, l.Act, l.NotYou = c.say("confirm.subject"), c.say("confirm.act"), c.say("confirm.not_you")
		l.Intro = []string{c.say("confirm.intro")}
		l.Code, l.CodeIntro = grouped(c.data.Code), c.say("confirm.code")
	case AlreadyRegistered:
		l.Subject, l.Act, l.NotYou = c.say("registered.subject"), c.say("registered.act"), c.say("registered.not_you")
		l.Intro = []string{c.say("registered.intro"), c.say("registered.hint")}
	case ResetPassword:
		l.Subject, l.Act, l.NotYou = c.say("reset.subject"), c.say("reset.act"), c.say("reset.not_you")
		l.Intro = []string{c.say("reset.intro")}
	case PasswordChanged:
		l.Subject, l.Act, l.NotYou = c.say("changed.subject"), c.say("not_me.act"), c.say("not_me.what")
		l.Intro, l.NotYouFirst = []string{c.say("changed.intro")}, true
	case SessionsEnded:
		c.sessionsEnded()
	case AccountLocked:
		c.accountLocked()
	case AccountCreated:
		l.Subject, l.Act, l.NotYou = c.say("created.subject"), c.say("created.act"), c.say("created.not_you")
		l.Intro = []string{c.say("created.intro")}
	case ApproveAddress, ConfirmAddress, AddressTaken, AddressChanged, AddressLeft:
		c.address(kind)
	case Invitation:
		l.Subject, l.Act, l.NotYou = c.say("invited.subject"), c.say("invited.act"), c.say("invited.not_you")
		l.Intro = []string{c.say("invited.intro")}
	case AlertOpened, AlertClosed:
		c.alert(kind)
	default:
		return c.writeSafety(kind)
	}
	return true
}

// writeSafety says what the mails about a threatened or ending account are about.
func (c *composer) writeSafety(kind Kind) bool {
	l := &c.letter
	switch kind {
	case NewDevice:
		l.Subject, l.Act, l.NotYou = c.say("new_device.subject"), c.say("not_me.act"), c.say("not_me.what")
		l.Intro, l.NotYouFirst = []string{c.say("new_device.intro")}, true
	case AccountSecured:
		l.Subject, l.Act, l.NotYou = c.say("secured.subject"), c.say("reset.act"), c.say("secured.not_you")
		l.Intro = []string{c.say("secured.intro")}
	case ResetDemanded:
		l.Subject, l.Act, l.NotYou = c.say("demanded.subject"), c.say("reset.act"), c.say("demanded.not_you")
		l.Intro = []string{c.say("demanded.intro")}
	case DeletionPending:
		l.Subject, l.Act, l.NotYou = c.say("deletion.subject"), c.say("deletion.act"), c.say("deletion.not_you")
		l.Intro = []string{c.say("deletion.intro", "{time}", c.words.at(c.data.Until)), c.say("deletion.lost")}
		l.NotYouFirst = true
	case AccountDeleted:
		l.Subject, l.NotYou, l.NotYouFirst = c.say("deleted.subject"), c.say("deleted.not_you"), true
		l.Intro = []string{c.say("deleted.intro")}
		c.data.Link = "" // nothing is left that it could lead to
	default:
		return false
	}
	return true
}

// address says what the mails about a change of address say.
func (c *composer) address(kind Kind) {
	l, email := &c.letter, oneLine(c.data.NewEmail, 254)
	switch kind {
	case ApproveAddress:
		l.Subject, l.Act, l.NotYou = c.say("approve.subject"), c.say("approve.act"), c.say("approve.not_you")
		l.Intro = []string{c.say("approve.intro", "{email}", email), c.say("approve.both")}
	case ConfirmAddress:
		l.Subject, l.Act, l.NotYou = c.say("address.subject"), c.say("address.act"), c.say("address.not_you")
		l.Intro = []string{c.say("address.intro")}
	case AddressTaken:
		l.Subject, l.Act, l.NotYou = c.say("occupied.subject"), c.say("occupied.act"), c.say("occupied.not_you")
		l.Intro = []string{c.say("occupied.intro"), c.say("occupied.hint")}
	case AddressChanged:
		l.Subject, l.Act, l.NotYou = c.say("moved.subject"), c.say("moved.act"), c.say("moved.not_you")
		l.Intro = []string{c.say("moved.intro")}
	default: // AddressLeft
		l.Subject, l.Act, l.NotYou = c.say("left.subject"), c.say("left.act"), c.say("left.not_you")
		l.Intro, l.NotYouFirst = []string{c.say("left.intro", "{email}", email)}, true
	}
}

func (c *composer) sessionsEnded() {
	l := &c.letter
	l.Act, l.NotYou, l.NotYouFirst = c.say("not_me.act"), c.say("ended.not_you"), true
	if n := len(c.data.Ended); n > 1 {
		l.Subject = c.say("ended.subject.other", "{count}", strconv.Itoa(n))
		l.Intro = []string{c.say("ended.intro.other")}
	} else {
		l.Subject = c.say("ended.subject.one")
		l.Intro = []string{c.say("ended.intro.one")}
	}
	const shown = 20 // more cannot end at one sign-in; whoever passes more gets a short mail all the same
	for _, device := range c.data.Ended[:min(len(c.data.Ended), shown)] {
		if device = fromStranger(device); device == "" {
			device = c.say("ended.unknown")
		}
		l.List = append(l.List, device)
	}
}

func (c *composer) accountLocked() {
	l := &c.letter
	l.Subject, l.NotYouFirst = c.say("locked.subject"), true
	if c.data.Until.IsZero() {
		l.Intro, l.NotYou = []string{c.say("locked.intro")}, c.say("locked.not_you")
		c.data.Link = "" // a new password would not unlock it
		return
	}
	l.Intro = []string{c.say("locked.intro.until", "{time}", c.words.at(c.data.Until))}
	l.NotYou, l.Act = c.say("locked.not_you.until"), c.say("locked.act")
}

// frame adds what every mail has.
func (c *composer) frame(kind Kind) {
	l, d := &c.letter, c.data
	l.Greeting = c.say("greeting")
	// In these nobody has proved that the name belongs to the address.
	strangersMail := slices.Contains([]Kind{ConfirmSignup, AlreadyRegistered, ConfirmAddress, AddressTaken}, kind)
	if name := fromStranger(d.DisplayName); name != "" && !strangersMail {
		l.Greeting = c.say("greeting.name", "{name}", name)
	}
	l.Link = ownLink(d.Link, d.Origin)
	// The others lead to a page.
	leadsToPage := slices.Contains([]Kind{AlreadyRegistered, AccountLocked, AddressTaken, AddressChanged, AddressLeft}, kind)
	if l.Link != "" && !leadsToPage && !d.LinkExpires.IsZero() {
		l.LinkUntil = c.say("link.until", "{time}", c.words.at(d.LinkExpires))
	}
	if !d.CodeExpires.IsZero() {
		l.CodeUntil = c.say("code.until", "{time}", c.words.at(d.CodeExpires))
	}
	l.CodeKeep = c.say("code.keep")
	l.DetailsTitle = c.say("details")
	if !d.When.IsZero() {
		l.Details = append(l.Details, detail{c.say("details.when"), c.words.at(d.When)})
	}
	if kind == AlertOpened || kind == AlertClosed {
		c.frameAlert(kind)
		return
	}
	if address := oneLine(d.Address, 60); address != "" {
		l.Details = append(l.Details, detail{c.say("details.address"), address})
	}
	if device := fromStranger(d.Device); device != "" {
		l.Details = append(l.Details, detail{c.say("details.device"), device})
	}
	l.Footer = c.say("footer")
	l.Origin = oneLine(d.Origin, 200)
}

// alert says what goes on, and where.
func (c *composer) alert(kind Kind) {
	l := &c.letter
	what := oneLine(c.data.What, 300)
	switch c.data.Kind {
	case "ceiling":
		what = c.say("alert.ceiling")
	case "one-address":
		what = c.say("alert.one_address")
	case "spraying":
		what = c.say("alert.spraying")
	case "stuffing":
		what = c.say("alert.stuffing")
	case "session-guessing":
		what = c.say("alert.session_guessing")
	case "foreign-script":
		what = c.say("alert.foreign_script")
	}
	l.Subject, l.NotYou = c.say("alert.subject"), c.say("alert.why")
	l.Intro = []string{what}
	if kind == AlertClosed {
		l.Subject, l.NotYou = c.say("alert.subject.closed"), c.say("alert.why.closed")
		l.Intro = append(l.Intro, c.say("alert.closed", "{time}", c.words.at(c.data.Until)))
	}
	for _, place := range c.data.Where {
		l.List = append(l.List, oneLine(place, 60))
	}
}

// frameAlert adds what the operators need to act.
func (c *composer) frameAlert(kind Kind) {
	l, d := &c.letter, c.data
	l.DetailsTitle = c.say("alert.details")
	l.Details = append(l.Details, detail{c.say("alert.count"), strconv.FormatInt(d.Count, 10)})
	if command := oneLine(d.Command, 200); command != "" && kind == AlertOpened {
		l.Details = append(l.Details, detail{c.say("alert.command"), command})
	}
	l.Footer = c.say("footer")
	l.Origin = oneLine(d.Origin, 200)
}
