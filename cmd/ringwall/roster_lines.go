package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// recordMaxBytes bounds one line, or one record of CSV: nobody is longer.
const recordMaxBytes = 64 << 10

var (
	errLong     = rowFault{"row", fmt.Sprintf("longer than %d bytes", recordMaxBytes)}
	errUTF8     = rowFault{"row", "not UTF-8"}
	errNoObject = rowFault{"row", "not a JSON object"}
	errQuotes   = rowFault{"row", "a quotation mark that is never closed; what follows it was left out"}
)

// lineReader reads lines of bounded length. It holds one at a time.
type lineReader struct {
	in   *bufio.Reader // of recordMaxBytes
	line int
}

// read returns a line with its end, which is valid until the next. A longer one is passed over, with [errLong].
func (l *lineReader) read() ([]byte, error) {
	l.line++
	text, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.in.ReadSlice('\n')
		}
		if err == nil || errors.Is(err, io.EOF) {
			err = errLong
		}
		return nil, err
	}
	if errors.Is(err, io.EOF) && len(text) > 0 {
		err = nil
	}
	return text, err
}

func at(line int) string { return "line " + strconv.Itoa(line) }

// jsonLines has one object a line.
type jsonLines struct {
	lines   *lineReader
	options rosterOptions
	read    func(line []byte, options rosterOptions) (personRow, error)
}

func (j *jsonLines) next() (personRow, string, error) {
	for {
		text, err := j.lines.read()
		here := at(j.lines.line)
		if err != nil {
			return personRow{}, here, err
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if !utf8.Valid(text) {
			return personRow{}, here, errUTF8
		}
		person, err := j.read(text, j.options)
		return person, here, err
	}
}

// strictJSON takes no unknown members: a misspelt one would be lost without a word.
func strictJSON(text []byte, into any) error {
	if err := oneValue(text); err != nil {
		return err
	}
	err := strict.Unmarshal(text, into, strict.RejectUnknownMembers(true))
	wrong, ok := errors.AsType[*strict.SemanticError](err)
	switch {
	case err == nil:
		return nil
	case ok && errors.Is(wrong.Err, strict.ErrUnknownName) && len(wrong.JSONPointer) < 64:
		return rowFault{"row", "there is no member " + strconv.Quote(wrong.JSONPointer.LastToken())}
	case ok:
		for field := range wrong.JSONPointer.Tokens() {
			return otherType(field)
		}
	}
	return errNoObject
}

func looseJSON(text []byte, into any) error {
	err := oneValue(text)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return otherType(wrong.Field)
	}
	if _, ok := errors.AsType[rowFault](err); err == nil || ok {
		return err
	}
	return errNoObject
}

func otherType(field string) error {
	return rowFault{field, "is of another type than it should be"}
}

// oneValue refuses what two parsers could read differently: encoding/json takes the last of two members with one name.
func oneValue(text []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	_, err := d.ReadValue()
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return rowFault{"row", "an object in it has the same member twice"}
	case err != nil:
		return errNoObject
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return rowFault{"row", "more than one object in a line"}
	}
	return nil
}

// table is CSV with the names of the columns in its first record.
type table struct {
	lines   *lineReader
	options rosterOptions
	columns map[string]int
	width   int
	read    func(cell func(string) string, options rosterOptions) (personRow, error)
}

// newTable reads the names. Known are those that may stand there; nil takes any.
func newTable(lines *lineReader, options rosterOptions, known columns, read func(func(string) string, rosterOptions) (personRow, error)) (roster, error) {
	t := &table{lines: lines, options: options, columns: map[string]int{}, read: read}
	head, _, err := t.record()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("the first line has no names of columns: %w", err)
	}
	t.width = len(head)
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		if !known.loose && !slices.Contains(known.names, name) {
			return nil, fmt.Errorf("there is no column %q here. The columns are: %s", name, strings.Join(known.names, ", "))
		}
		if _, twice := t.columns[name]; twice {
			return nil, fmt.Errorf("the column %q stands there twice", name)
		}
		t.columns[name] = i
	}
	if _, ok := t.columns["email"]; !ok {
		return nil, errors.New("the first line names no column email. It has to name the columns: " + strings.Join(known.names, ", "))
	}
	return t, nil
}

// columns are the names that a table may have; a loose one may have others too.
type columns struct {
	names []string
	loose bool
}

func (t *table) next() (personRow, string, error) {
	for {
		cells, line, err := t.record()
		if err != nil {
			return personRow{}, at(line), err
		}
		if len(cells) == 1 && cells[0] == "" && t.width > 1 {
			continue // an empty line
		}
		if len(cells) != t.width {
			return personRow{}, at(line), rowFault{"row", fmt.Sprintf("%d cells, and the first line names %d", len(cells), t.width)}
		}
		person, err := t.read(func(name string) string {
			if i, ok := t.columns[name]; ok {
				return cells[i]
			}
			return ""
		}, t.options)
		return person, at(line), err
	}
}

// record reads the lines of one record, and the number of the first.
func (t *table) record() (cells []string, first int, err error) {
	var whole []byte
	for quotes := 0; ; {
		line, err := t.lines.read()
		if first == 0 {
			first = t.lines.line
		}
		if err != nil {
			if errors.Is(err, io.EOF) && len(whole) > 0 {
				err = errQuotes
			}
			return nil, first, err
		}
		if whole = append(whole, line...); len(whole) > recordMaxBytes {
			return nil, first, errQuotes
		}
		if quotes += bytes.Count(line, []byte{'"'}); quotes%2 == 0 {
			break
		}
	}
	if !utf8.Valid(whole) {
		return nil, first, errUTF8
	}
	if len(bytes.TrimSpace(whole)) == 0 {
		return []string{""}, first, nil
	}
	cells, err = csv.NewReader(bytes.NewReader(whole)).Read()
	if err != nil {
		return nil, first, rowFault{"row", "its quotation marks are not those of CSV"}
	}
	return cells, first, nil
}
