// Package audit records what happened, so that it can be told later and cannot be changed unnoticed.
//
// A change of the database returns an [Event]. The store turns it into a [Row] with a [Builder] and writes it in the same
// transaction, so that nothing happens without its row, and no row stands without what it tells. After the commit the
// store calls [Sealer.Wake]:
//
//	build := audit.NewBuilder(keys, time.Now)
//	row, err := build.Row(ctx, tx, by, audit.Event{Name: audit.SessionLogout, User: user, Session: session})
//
//	sealer := audit.NewSealer(store, keys, audit.SealerOptions{Log: log})
//	go sealer.Run(ctx)
//
//	report, err := audit.Verify(ctx, store, keys, audit.VerifyOptions{Known: head})
//
// Refused requests, which strangers can cause in any number, go through [Refusals] instead: the first of its kind is a row,
// the others are counted.
//
// # What makes a change visible
//
// Three things, all with keys that the database does not hold in clear ([secret.Audit]). Each row bears a mark: proof that a server with the keys
// wrote these words. Each seal holds a tag for every row of a batch, over the words and their place in the table. And each
// seal holds the MAC of the one before it. [Verify] names every row that was changed, removed or inserted, rows that wait for
// a seal for more than five minutes, and seals that were changed, removed, replaced or put elsewhere.
//
// The head of the chain goes to the log once a minute while it grows, and when the server stops. A server that finds the
// end of the chain missing while it runs raises an alarm in the log, and leaves a gap in the numbers that Verify names from then on.
//
// # Personal data
//
// Address, user agent and the private details of an event are sealed: where the actor came from under the actor's
// key, details under that of the person it happened to, and under the purpose Audit where nobody is known. Erasing a
// person empties their key ([PersonKeys]); the row, its mark and its seal stay whole. Everything else in a row is written
// in clear and must not be personal: ids, constants, route patterns.
//
// # What this does not catch
//
//   - A cut end, if the server does not run meanwhile and no head was kept elsewhere: rows and seals removed from the end
//     backwards leave a shorter, whole chain. Give Verify a head from the log ([VerifyOptions.Known]).
//   - Removal of a row before it is sealed: for 250 ms after its commit, or until the next start where the server was
//     killed or cannot reach the database. (Changing or forging one is found, by its mark.)
//   - A copy of a row in the place of one that the same intruder removed before it was sealed. Ids are unique in the table; keep them so.
//   - Whoever holds the master key, or reads the memory of the server: they can write history anew. Keep heads elsewhere.
//   - What was never recorded. A row says what a server did, not that it did right.
//   - What an event means: [Verify] proves that rows stand as they were written, not that they please.
//
// PostgreSQL holds rows back from sealing while any older transaction that writes is still open, whichever program holds
// it; after five minutes Verify names them as unsealed. A log restored into another cluster must keep its transaction numbers rising.
package audit
