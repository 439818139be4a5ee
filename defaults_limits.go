package ringwall

import (
	"errors"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/ratelimit"
)

func (o Options) checkLimits() error {
	switch {
	case o.NoLimitAddress && !o.Development:
		return errors.New("NoLimitAddress is for development: anybody could try passwords without end from one address")
	case o.NoLimitAddress && len(o.LimitAddress) > 0:
		return errors.New("LimitAddress and NoLimitAddress exclude each other: leave one out")
	case o.NoLimitAccount && !o.Development:
		return errors.New("NoLimitAccount is for development: passwords could be guessed without end")
	case o.NoLimitAccount && o.LimitAccount != (ratelimit.Window{}):
		return errors.New("LimitAccount and NoLimitAccount exclude each other: leave one out")
	case !o.NoLimitAccount && (o.LimitAccount.Quota < 1 || o.LimitAccount.Quota > 100 || o.LimitAccount.Per < time.Second || o.LimitAccount.Per > 24*time.Hour):
		return errors.New("LimitAccount is 1 to 100 tries in a second to a day: more would let passwords be guessed")
	case o.NoLimitAPI && !o.Development:
		return errors.New("NoLimitAPI is for development: one person could keep the database busy without end")
	case o.NoLimitAPI && len(o.LimitAPI) > 0:
		return errors.New("LimitAPI and NoLimitAPI exclude each other: leave one out")
	}
	if _, err := o.apiLimiter(); err != nil {
		return errors.New("LimitAPI has one to three windows, each of 1 or more in whole seconds up to 31 days, no two of the same time")
	}
	if _, err := limits.NewAddresses(limits.Options{Windows: o.LimitAddress}); err != nil {
		return errors.New("LimitAddress has one to three windows, each of 1 or more in whole seconds up to 31 days, no two of the same time")
	}
	return nil
}

// attempts is what a counter of tries admits: after as many the first lock lasts as long as the window, each further one twice
// as long, up to an hour or the window (D05, D25).
func (o Options) attempts() account.AttemptPolicy {
	window := o.LimitAccount.Per.Microseconds()
	return account.AttemptPolicy{Max: o.LimitAccount.Quota, WindowMicros: window, LockMicros: window, MaxMicros: max(window, time.Hour.Microseconds())}
}

// apiLimiter is what one person may ask of the API; nil: anything.
func (o Options) apiLimiter() (*ratelimit.Limiter, error) {
	if o.NoLimitAPI {
		return nil, nil
	}
	return ratelimit.New("api", o.LimitAPI, ratelimit.Options{Now: o.Now, Log: o.Log})
}
