package app

import (
	"encoding/csv"
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/session"
)

// exportAll answers GET /invoices/export.
func (a *App) exportAll(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	list, err := a.invoices(r.Context(), s)
	if err != nil {
		return err
	}
	return sendCSV(w, "invoices.csv", list)
}

// exportOne answers GET /invoices/{id}/export.
func (a *App) exportOne(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	v, err := a.invoice(r.Context(), s, r.PathValue("id"))
	if err != nil {
		return err
	}
	return sendCSV(w, "invoice-"+v.ID+".csv", []Invoice{v})
}

// sendCSV sends a file. Its name is of our making: a header is no place for what somebody typed.
func sendCSV(w http.ResponseWriter, name string, list []Invoice) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"number", "customer", "amount", "due", "status"}) // Error has it
	for _, v := range list {
		status := "open"
		if v.Paid {
			status = "paid"
		}
		_ = out.Write([]string{cell(v.Number), cell(v.Customer), v.Amount.Plain(), v.Due.ISO(), status})
	}
	out.Flush()
	return nil // what was sent is sent: a client that is gone cannot be told
}

// cell keeps a spreadsheet from reading a text as a formula, which could call out or run something (CWE-1236).
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
