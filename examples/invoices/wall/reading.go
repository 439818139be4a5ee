package wall

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/ringwall/ringwall/examples/invoices/app"
)

// insideTells is what the service inside would tell this machine alone.
const insideTells = "AKIA-METADATA-OF-THIS-MACHINE"

var sum = regexp.MustCompile(`<p class="sum">([^<]*)</p>`)

// balance is what somebody has, as the page of transfers says it.
func (r *run) balance(who *Person) (string, error) {
	got, err := r.send(who, "looks at the balance", ask{method: "GET", path: "/transfers"})
	if err != nil {
		return "", err
	}
	found := sum.FindStringSubmatch(got.body)
	if got.status != http.StatusOK || found == nil {
		return "", fmt.Errorf("GET /transfers as %s = %d: %s", who.Email, got.status, got.body)
	}
	return found[1], nil
}

// isPaid reads the page of an invoice.
func isPaid(page string) bool { return strings.Contains(page, "Open it again") }

// appConfig is the application of every row; what is off is added.
func (w *World) appConfig() app.Config {
	return app.Config{DB: w.db, Dialect: w.dialect, Now: w.now, Log: w.Log, Off: app.Off{}}
}
