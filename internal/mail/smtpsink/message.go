package smtpsink

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
)

// Message is one mail as it arrived.
type Message struct {
	From     string      // of the envelope
	To       []string    // of the envelope: who would get it
	Subject  string      // decoded
	Text     string      // decoded, lines ended by \n
	HTML     string      // decoded, lines ended by \n
	Header   mail.Header // as sent
	Raw      []byte      // as sent
	TLS      bool        // came encrypted
	User     string      // who signed in; empty: nobody
	Received time.Time
}

// ID is the Message-ID, with its angle brackets.
func (m Message) ID() string { return m.Header.Get("Message-Id") }

func parse(raw []byte) (Message, error) {
	read, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Message{}, err
	}
	m := Message{Header: read.Header, Raw: raw}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject")); err != nil {
		return Message{}, fmt.Errorf("subject: %w", err)
	}
	kind, params, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil {
		return Message{}, fmt.Errorf("content type: %w", err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		err := m.part(kind, read.Header.Get("Content-Transfer-Encoding"), read.Body)
		return m, err
	}
	parts := multipart.NewReader(read.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return Message{}, fmt.Errorf("parts: %w", err)
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil {
			return Message{}, fmt.Errorf("content type of a part: %w", err)
		}
		if err := m.part(kind, part.Header.Get("Content-Transfer-Encoding"), part); err != nil {
			return Message{}, err
		}
	}
}

func (m *Message) part(kind, encoding string, body io.Reader) error {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch kind {
	case "text/plain":
		m.Text = text
	case "text/html":
		m.HTML = text
	}
	return nil
}
