// Package lifecycle tells others what becomes of accounts and sessions: the program that Ringwall runs in, by hooks inside
// the transaction, and other programs, by webhooks that are queued in it.
//
//	l := lifecycle.New(lifecycle.Options{Hooks: hooks, Target: "events", Now: time.Now, Log: log})
//	store.Follow(l.Follow) // once at the end of every change
//
// Both follow from the audit events of a change, by one table. So whatever is recorded is told, and what is rolled back
// never was. That sessions ended follows from the statements that end them, and so cannot be forgotten.
//
// # What it does not do
//
// It tells nothing that strangers can cause without anything coming of it: failed sign-ins, requests for mails, refusals.
// It does not tell that a session has run out, which nothing in the database does; session.created is the beginning of
// the time that ends it.
package lifecycle
