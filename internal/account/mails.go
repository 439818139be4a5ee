package account

import (
	"context"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
)

// mailsAnHour is how many mails strangers everywhere may cause to one address. Beyond it nothing is sent, and nothing is said.
var mailsAnHour = AttemptPolicy{Max: 20, WindowMicros: time.Hour.Microseconds(), LockMicros: time.Hour.Microseconds(), MaxMicros: time.Hour.Microseconds()}

// mailsOfANetwork is how many of them one network may cause.
var mailsOfANetwork = AttemptPolicy{Max: 5, WindowMicros: fiveMinutes, LockMicros: fiveMinutes, MaxMicros: time.Hour.Microseconds()}

const fiveMinutes = int64(5 * time.Minute / time.Microsecond)

// reserveMail counts a request that mails something to an address. It is refused for one network at a time, so that a
// stranger elsewhere cannot close the way for the owner. Quiet says that the address has had its mails of this hour. All
// mails that strangers cause together have a budget too; who is known needs none of it. Whoever that budget would turn away
// is so before anything is written, and before anybody looks at the address.
func (s *Service) reserveMail(ctx context.Context, by identity.Actor, wish *ceiling.Attempt, what, address string) (quiet bool, err error) {
	var left mailsLeft
	if !wish.Known {
		if left, err = s.mailsLeft(ctx); err == nil {
			err = s.refusesMail(ctx, by, *wish, left)
		}
		if err != nil {
			return false, err
		}
	}
	try, attempt, err := s.count(ctx, mailsOfANetwork, what, address, network(by))
	if err != nil {
		return false, err
	}
	if !attempt.Admitted {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.RateLimitExceeded, Reason: what})
		return false, problem.New(problem.TooMany, "too-many-requests", "Too many mails were asked for. Wait a few minutes, and look into the folder for spam meanwhile.").After(s.coarse(attempt))
	}
	if !wish.Known {
		if err := s.spendMail(ctx, by, wish, left); err != nil {
			s.giveBack(ctx, try)
			return false, err
		}
	}
	_, attempt, err = s.count(ctx, mailsAnHour, what+" from everywhere", address)
	return !attempt.Admitted, err
}

// The budget of the mails that strangers may cause in a minute, whoever they are for: a relay that is made to send
// thousands loses its good name, and then nobody's mail arrives. Each half has a counter of its own, so that neither those
// who solve nothing nor any number of parallel requests get more than theirs.
const (
	mailsOfStrangers = "mails of strangers"
	mailsOfSolvers   = "mails of strangers who solved a challenge"

	// hardest is the excess for which a challenge is made when all but nothing is left; 1 at half.
	hardest = 8
)

// perMinute admits so many in a minute.
func perMinute(most int) AttemptPolicy {
	minute := time.Minute.Microseconds()
	return AttemptPolicy{Max: most, WindowMicros: minute, LockMicros: minute, MaxMicros: minute}
}

// mailShares are how many mails strangers may cause in a minute, and how many more if each solved a challenge for it.
func (s *Service) mailShares() (free, solved int) { return s.Mails - s.Mails/2, s.Mails / 2 }

// mailsLeft is how the budget stands.
type mailsLeft struct {
	half, all    bool // that much of it is spent
	excess       float64
	tries        int
	since, until int64 // of the half that is spent, or of both
}

// mailsLeft reads how the budget stands, in one statement while less than half of it is spent.
func (s *Service) mailsLeft(ctx context.Context) (left mailsLeft, err error) {
	if s.Mails < 0 {
		return left, nil
	}
	most, mostSolved := s.mailShares()
	free, until, err := s.mailsOf(ctx, mailsOfStrangers)
	if err != nil || free.Tries < most {
		return left, err
	}
	solved, solvedUntil, err := s.mailsOf(ctx, mailsOfSolvers)
	left = mailsLeft{half: true, all: solved.Tries >= mostSolved, tries: free.Tries + solved.Tries, since: free.WindowMicros, until: until}
	left.excess = 1 + (hardest-1)*float64(min(solved.Tries, mostSolved))/float64(max(mostSolved, 1))
	if left.all && mostSolved > 0 {
		left.until = min(until, solvedUntil)
	}
	return left, err
}

// mailsOf reads one of the two counters, and until when it counts; zero if its minute is over.
func (s *Service) mailsOf(ctx context.Context, what string) (counter Counter, until int64, err error) {
	now := s.Now().UnixMicro()
	counter, err = s.Store.Counter(ctx, s.Keys.MAC(secret.Attempts, []byte(what)), now)
	until = max(counter.LockedMicros, counter.WindowMicros+time.Minute.Microseconds())
	if now >= until {
		return Counter{}, 0, err
	}
	return counter, until, err
}

// refusesMail turns away whom the budget does not admit. It depends on the budget, the client and the form alone.
func (s *Service) refusesMail(ctx context.Context, by identity.Actor, wish ceiling.Attempt, left mailsLeft) error {
	switch {
	case left.all:
		return s.noMails(ctx, by)
	case left.half && (wish.Solution == "" || !s.Challenger.Check(left.asked(wish), wish.Solution)):
		return s.challengeMail(ctx, by, wish, left)
	}
	return nil
}

// spendMail takes one of the mails of strangers: of the first half, or of the second for the solution of a challenge. The
// solution goes first, or one of them, sent again and again, would use the second half up.
func (s *Service) spendMail(ctx context.Context, by identity.Actor, wish *ceiling.Attempt, left mailsLeft) error {
	if s.Mails < 0 {
		return nil
	}
	free, solved := s.mailShares()
	if !left.half {
		_, attempt, err := s.count(ctx, perMinute(free), mailsOfStrangers)
		if err != nil || attempt.Admitted {
			return err
		}
		if left, err = s.mailsLeft(ctx); err != nil { // others were quicker
			return err
		}
		left.half = true
		if err := s.refusesMail(ctx, by, *wish, left); err != nil {
			return err
		}
	}
	fresh, err := s.Challenger.Redeem(ctx, left.asked(*wish), wish.Solution)
	if err != nil {
		return err
	}
	if !fresh {
		return s.challengeMail(ctx, by, *wish, left)
	}
	wish.Redeemed = true
	_, attempt, err := s.count(ctx, perMinute(solved), mailsOfSolvers)
	if err == nil && !attempt.Admitted {
		return s.noMails(ctx, by)
	}
	s.alertMails(ctx)
	return err
}

func (l mailsLeft) asked(wish ceiling.Attempt) challenge.Asked {
	return challenge.Asked{Form: wish.Form, Client: wish.Client, Excess: l.excess}
}

func (s *Service) noMails(ctx context.Context, by identity.Actor) error {
	s.Refusals.Count(ctx, by, audit.Event{Name: audit.RateLimitExceeded, Reason: "mails"})
	s.alertMails(ctx)
	return problem.New(problem.TooMany, "too-many-requests", "Too many mails are being asked for at the moment. Wait a minute, then try again.").After(time.Minute)
}

func (s *Service) challengeMail(ctx context.Context, by identity.Actor, wish ceiling.Attempt, left mailsLeft) error {
	s.Refusals.Count(ctx, by, audit.Event{Name: audit.RateLimitExceeded, Reason: "mail challenge"})
	s.alertMails(ctx)
	puzzle, err := s.Challenger.Challenge(left.asked(wish))
	if err != nil {
		return err
	}
	return problem.New(problem.Forbidden, "challenge-required", "Very many mails are being asked for. Solve the challenge and send its solution with the request.").Extend("challenge", puzzle)
}

// alertMails tells of a mail that was asked for when half of the budget was spent. Where from is not told: whoever asks now need not be who spent it.
func (s *Service) alertMails(ctx context.Context) {
	s.Alerts.Raise(ctx, alerts.Alert{Kind: alerts.Mails, Count: 1,
		What: "Strangers ask for so many mails in a minute that half of LIMIT_MAILS is spent: unknown devices have to solve a challenge first, and wait once all of it is spent.",
		Help: "ringwall limits show; ringwall audit tail --event excess_rate_limit_exceeded; if it is an attack, block its networks (ringwall limits block); if these are people, raise LIMIT_MAILS"})
}

// mailForm reports whether a form mails something to whoever a stranger names.
func mailForm(form string) bool {
	return form == challenge.SignUp || form == challenge.Forgot || form == challenge.Resend
}

// mailChallenge is what a stranger has to solve at this moment for a mail; nil if nothing. If that cannot be told, the
// request itself will.
func (s *Service) mailChallenge(ctx context.Context, wish ceiling.Attempt) any {
	left, err := s.mailsLeft(ctx)
	if err != nil || !left.half {
		return nil
	}
	puzzle, err := s.Challenger.Challenge(left.asked(wish))
	if err != nil {
		s.Log.ErrorContext(ctx, "no challenge could be made", "error", err)
		return nil
	}
	return puzzle
}
