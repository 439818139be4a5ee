package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

type userExport struct {
	File     string `arg:"" help:"The file to make, or - for standard output."`
	Format   string `default:"jsonl" enum:"jsonl,csv" placeholder:"FORMAT" help:"jsonl or csv."`
	YesPrint bool   `help:"Print password hashes on standard output."`
	JSON     bool   `name:"json" help:"Tell as JSON what was written to a file."`
}

// Help is the example.
func (userExport) Help() string {
	return `The file has the password hashes in it: whoever reads it can guess passwords without limit. It is made for its owner alone, and never over an existing file. The audit log tells that it was made.

Example:

    ringwall user export people.jsonl
    ringwall user export people.csv --format csv`
}

// Run writes accounts.
func (c *userExport) Run(ctx context.Context, a *app, group *userCommands) error {
	if c.File == "-" && !c.YesPrint {
		return misuse{errors.New("what is printed has password hashes in it. If that is meant, say --yes-print")}
	}
	d, err := a.openDoor(ctx, group.settingFlags)
	if err != nil {
		return err
	}
	if c.File == "-" {
		_, err := c.write(ctx, a, d, a.out)
		return errors.Join(err, d.close())
	}
	return errors.Join(c.toFile(ctx, a, d), d.close())
}

func (c *userExport) toFile(ctx context.Context, a *app, d door) error {
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return misuse{fmt.Errorf("%s is there already. Name a file that is not, or remove it first", c.File)}
	}
	if err != nil {
		return misuse{fmt.Errorf("%s cannot be made: %s", c.File, reasonOf(err))}
	}
	count, err := c.write(ctx, a, d, file)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err != nil {
		return errors.Join(err, os.Remove(c.File)) // half of the people look like all of them
	}
	if c.JSON {
		return a.printJSON(map[string]any{"file": c.File, "accounts": count})
	}
	return a.say(fmt.Sprintf("%s written to %s, with password hashes.", counted(count, "account"), oneLine(c.File)))
}

func (c *userExport) write(ctx context.Context, a *app, d door, out io.Writer) (count int64, err error) {
	buffered := bufio.NewWriter(out)
	write := jsonWriter(buffered)
	if c.Format == formatCSV {
		if write, err = csvWriter(buffered); err != nil {
			return 0, err
		}
	}
	told := newProgress(a.err, "accounts", func() (int64, int64) { return 0, 0 })
	defer told.end()
	for after := ""; ; {
		var page struct {
			Users []personRow `json:"users"`
			Next  string      `json:"next"`
		}
		if err := ask(ctx, d, "user.export", map[string]any{"after": after, "limit": mostExported}, &page); err != nil {
			return count, err
		}
		for _, person := range page.Users {
			if err := write(ownOf(person)); err != nil {
				return count, fmt.Errorf("write the export: %w", err)
			}
			count++
		}
		if page.Next == "" {
			return count, buffered.Flush()
		}
		after = page.Next
		told.tell(count)
	}
}

// mostExported is how many come in one answer.
const mostExported = 500

func jsonWriter(out io.Writer) func(ownLine) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return func(l ownLine) error { return encoder.Encode(l) }
}

func csvWriter(out io.Writer) (func(ownLine) error, error) {
	writer := csv.NewWriter(out)
	write := func(cells []string) error {
		if err := writer.Write(cells); err != nil {
			return err
		}
		writer.Flush()
		return writer.Error()
	}
	return func(l ownLine) error {
		return write([]string{
			l.ID, quoteFormula(l.Email), strconv.FormatBool(*l.Verified), quoteFormula(l.DisplayName), l.Hash, l.PasswordChangedAt, l.CreatedAt, l.Language,
			strconv.FormatBool(l.Locked), quoteFormula(l.LockReason), l.LockUntil, strings.Join(l.Roles, " "), string(l.Metadata),
		})
	}, write(ownColumns())
}

// quoteFormula puts an apostrophe before what a spreadsheet would run as a formula (CWE-1236). A text that has one there
// already gets another, so that [unquoteFormula] gives back every text as it was.
func quoteFormula(text string) string {
	if isFormula(text) {
		return "'" + text
	}
	return text
}

func unquoteFormula(text string) string {
	if plain, quoted := strings.CutPrefix(text, "'"); quoted && isFormula(plain) {
		return plain
	}
	return text
}

// isFormula looks at the first character behind apostrophes. Some spreadsheets take the wide forms too.
func isFormula(text string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(text, "'"))
	return strings.ContainsRune("=+-@\t\r\n＝＋－＠", first)
}
