package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/run"
	"github.com/ringwall/ringwall/session"
)

// column is a choice of the report. Key is what sort takes: the field, and how to compare it.
type column struct{ By, Name, Key string }

var columns = []column{
	{"number", "Number", "1,1"},
	{"customer", "Customer", "2,2"},
	{"due", "Due date", "3,3"},
	{"amount", "Amount", "4,4n"},
}

// report is what the page shows.
type report struct {
	Columns []column
	By      string
	Made    bool
	Rows    [][]string
	Sum     Cents
}

// chooseReport answers GET /reports.
func (a *App) chooseReport(w http.ResponseWriter, r *http.Request, _ *session.Session) error {
	a.show(w, r, reportView(report{By: "customer"}))
	return nil
}

func reportView(body report) view {
	body.Columns = columns
	return view{page: "report", Title: "Report", Nav: "/reports", Body: body}
}

type reportForm struct {
	By string `form:"by" required:"true" maxLength:"200"`
}

// makeReport answers POST /reports: own invoices, in the order that a program puts them in.
func (a *App) makeReport(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	in, err := input.DecodeForm[reportForm](r)
	var key string
	if err == nil {
		key, err = a.sortKey(in.By)
	}
	if err != nil {
		return a.again(w, r, reportView(report{}), err)
	}
	list, err := a.invoices(r.Context(), s)
	if err != nil {
		return err
	}
	body := report{By: in.By, Made: true}
	for _, v := range list {
		body.Sum += v.Amount
	}
	if body.Rows, err = a.sortRows(r.Context(), key, list); err != nil {
		return a.again(w, r, reportView(report{}), err)
	}
	a.show(w, r, reportView(body))
	return nil
}

// columnKey is the key of a column. What the program gets is from the list, and nothing that was typed.
func columnKey(by string) (string, error) {
	for _, c := range columns {
		if c.By == by {
			return c.Key, nil
		}
	}
	return "", errColumn
}

var errColumn = failure{status: http.StatusUnprocessableEntity, field: "by", detail: "Choose one of the columns."}

// sortRows writes the invoices into a file that is gone afterwards, one a line, and reads what the program makes of it.
func (a *App) sortRows(ctx context.Context, key string, list []Invoice) ([][]string, error) {
	folder, err := os.MkdirTemp("", "invoices-report-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	var lines bytes.Buffer
	for _, v := range list {
		_, _ = fmt.Fprintf(&lines, "%s\t%s\t%s\t%s\n", oneLine(v.Number), oneLine(v.Customer), v.Due.ISO(), v.Amount.Plain())
	}
	file := filepath.Join(folder, "invoices.tsv")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		return nil, err
	}
	out, err := a.sorted(ctx, key, file)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		cells := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "", "")
		var amount Cents
		if amount.UnmarshalText([]byte(cells[3])) == nil {
			cells[3] = amount.String()
		}
		rows = append(rows, []string{cells[0], cells[1], Day(cells[2]).String(), cells[3]})
	}
	return rows, nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// runSort runs sort, without a shell. A value is never taken for a flag.
func (a *App) runSort(ctx context.Context, key, file string) ([]byte, error) {
	out, err := a.sort.Run(ctx, run.Flag("-t"), run.Flag("\t"), run.Flag("-k"), run.Value(key), run.Flag("--"), run.Value(file))
	if errors.Is(err, run.ErrFailed) || errors.Is(err, run.ErrArgument) {
		return nil, errColumn
	}
	return out.Stdout, err
}
