package mail

import "github.com/ringwall/ringwall/internal/identity"

// Message is one mail, ready to send. Its ID becomes the Message-ID, the same for every attempt.
type Message struct {
	ID      identity.ID `json:"id"`
	To      string      `json:"to"`
	Subject string      `json:"subject"`
	Text    string      `json:"text"`
	HTML    string      `json:"html"`
	Decoy   bool        `json:"decoy,omitempty"` // costs the same as a mail, and is never sent
}
