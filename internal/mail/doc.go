// Package mail writes the mails of Ringwall, and gets them delivered.
//
// # Writing
//
// [Compose] turns a [Kind] and its [Data] into a [Message]: a subject, a text and an HTML that says the same. Each mail
// asks for one act at most, tells time, network address and device of the request behind it, and what to do "if this
// was not you". All sentences stand in catalogue/<language>.json, complete in English and German; one layout serves all.
//
// What strangers choose (names, devices) is escaped, held to one line and left out where it looks like a link. The mails
// that a stranger can cause (a sign-up) carry no name at all. A link appears only if it begins with Data.Origin, so that
// no request decides where a mail leads.
//
// # Delivering
//
// Put the Message into the outbox in the transaction that caused it; [OutboxStore] is that outbox. A [Worker] takes
// mails out and gives them to a [Sender]:
//
//	relay, err := mail.ParseSMTP(secret.NewText("smtp://user:password@mail.example.org:587"))
//	sender, err := mail.NewSMTP(relay, "Example <no-reply@example.org>", mail.SMTPOptions{})
//	worker := mail.NewWorker(store, sender, mail.WorkerOptions{Log: log})
//	go worker.Run(ctx)
//	…
//	worker.Wake() // after each commit that queued a mail
//
// A mail is delivered at least once: the attempt is committed before it is made, so a crash between the server's yes and
// ours repeats the mail, with the same Message-ID, by which mail programs know it again. A failed attempt is repeated after
// 5 seconds, then after twice as long each time, up to an hour; after three days the mail is given up with an error in the
// log that names the mail's id and never its recipient. A recipient whom the server refuses for good is given up after an
// hour, an address that is none at once. Decoys cost their row and are never sent.
//
// # Connecting
//
// [SMTP] speaks STARTTLS (smtp://, port 587) or TLS (smtps://, port 465), always with a verified certificate. It talks in
// the clear only to a loopback address, and only if that server offers nothing better or the URL ends in ?tls=off.
//
// # What it does not do
//
// It signs nothing: DKIM, SPF and bounces are the relay's matter. A server's yes is the end of what it knows; whether
// somebody read the mail, it does not know. Package smtpsink is a real server for tests.
package mail
