package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// elementMaxBytes bounds one person in a document, with everything that another system knows of them.
const elementMaxBytes = 1 << 20

var errElement = fmt.Errorf("something in the document is longer than %d bytes", elementMaxBytes)

// document is one JSON object with a list "users" in it, which is read one person at a time.
type document struct {
	bounded *boundedReader
	decoder *json.Decoder
	options rosterOptions
	read    func(element []byte, options rosterOptions) (personRow, error)
	inside  bool // of the list
	count   int
}

func newDocument(in io.Reader, options rosterOptions, read func([]byte, rosterOptions) (personRow, error)) roster {
	bounded := &boundedReader{in: in}
	return &document{bounded: bounded, decoder: json.NewDecoder(bounded), options: options, read: read}
}

// boundedReader fails if more is read at once than anything in a document may have.
type boundedReader struct {
	in   io.Reader
	left int
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errElement
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (d *document) token() (json.Token, error) {
	d.bounded.left = elementMaxBytes
	token, err := d.decoder.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return token, documentFault(err)
}

func (d *document) next() (personRow, string, error) {
	here := "user " + strconv.Itoa(d.count+1)
	if !d.inside {
		if err := d.findUsers(); err != nil {
			return personRow{}, here, err
		}
		d.inside = true
	}
	d.bounded.left = elementMaxBytes
	if !d.decoder.More() {
		return personRow{}, here, d.end()
	}
	var element json.RawMessage
	if err := d.decoder.Decode(&element); err != nil {
		return personRow{}, here, documentFault(err)
	}
	d.count++
	if !utf8.Valid(element) {
		return personRow{}, here, errUTF8
	}
	person, err := d.read(element, d.options)
	return person, here, err
}

// end tells the end of the list from a document that is cut off there.
func (d *document) end() error {
	if _, err := d.token(); err != nil {
		return err
	}
	return io.EOF
}

// findUsers goes to the beginning of the list, past whatever else there is.
func (d *document) findUsers() error {
	if token, err := d.token(); err != nil {
		return err
	} else if token != json.Delim('{') {
		return errors.New("the file is not one JSON object")
	}
	for {
		name, err := d.token()
		if err != nil {
			return err
		}
		if name == json.Delim('}') {
			return errors.New("the document has no list with the name users")
		}
		value, err := d.token()
		if err != nil {
			return err
		}
		if name == "users" && value == json.Delim('[') {
			return nil
		}
		if err := d.skip(value); err != nil {
			return err
		}
	}
}

// skip reads to the end of a value that has begun.
func (d *document) skip(first json.Token) error {
	depth := 0
	for token := first; ; {
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		var err error
		if token, err = d.token(); err != nil {
			return err
		}
	}
}

// documentFault tells what is wrong without the text that is: there are hashes in it.
func documentFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errElement):
		return errElement
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the document is cut off")
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("the document is no JSON after %d bytes", wrong.Offset)
	}
	if strings.HasPrefix(err.Error(), "json: ") {
		return errors.New("the document is no JSON")
	}
	return fmt.Errorf("the file cannot be read: %w", err)
}
