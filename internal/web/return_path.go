package web

import "github.com/ringwall/ringwall/input"

// returnPath is raw if a browser that is sent there stays on this host, and empty otherwise.
func (v *visit) returnPath(raw string) string { return input.ReturnPath(raw, "") }

// onward is where somebody goes who has signed in.
func (v *visit) onward(returnTo string) string {
	return input.ReturnPath(returnTo, v.web.Prefix+"/account")
}
