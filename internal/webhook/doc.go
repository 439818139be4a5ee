// Package webhook tells other programs what happened, by signed requests to an address of theirs.
//
// Put a [Message] into the outbox in the transaction of what happened; [OutboxStore] is that outbox. A [Worker] takes
// messages out and posts them:
//
//	worker := webhook.NewWorker(store, map[string]webhook.Target{"alerts": target}, webhook.WorkerOptions{Client: outbound.Client(outbound.Options{})})
//	go worker.Run(ctx)
//	…
//	worker.Wake() // after each commit that queued a message
//
// # What a receiver gets
//
// The form is that of Standard Webhooks (https://www.standardwebhooks.com): a POST with JSON
//
//	{"type": "alert.opened", "timestamp": "2026-11-22T03:04:05Z", "data": {…}}
//
// and the headers webhook-id, webhook-timestamp (seconds since 1970) and webhook-signature: "v1," and the base64 of
// HMAC-SHA256 over id, timestamp and body, joined by dots, under the bytes of the secret. A receiver compares the
// signature in constant time, refuses a timestamp more than five minutes off, and remembers ids. Each attempt is
// stamped and signed anew. Any 2xx is a yes.
//
// A message is delivered at least once, always with the same id: the attempt is committed before it is made, so a
// crash after the receiver's yes repeats it. The order is not promised. What fails is tried again after 5 seconds,
// then after four times as long each time, up to six hours; after ten attempts, about nineteen hours, the message is
// dead. Each target has a queue of its own. A dead message is kept for thirty days and can be sent again. A receiver that answers 410 wants no more: the
// message is dead at once.
//
// # What it does not do
//
// It does not choose who is told of what, and it reads nothing from answers but the status. Which addresses may be
// reached is the client's matter: package outbound refuses the inside of networks.
package webhook
