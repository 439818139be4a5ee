package app_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/examples/invoices/app"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// site is the application behind Ringwall, on a database of its own.
type site struct {
	*ringwalltest.Server
	t   *testing.T
	app *app.App
	dsn string // of the application, as its tables' owner
}

// start runs the application; change may be nil.
func start(t *testing.T, db testdb.DB, change func(*app.Config)) *site {
	t.Helper()
	options := ringwall.Options{
		Database: db.DSN, ServiceName: "Invoices", Roles: map[string][]string{app.AccountantRole: {app.ReadAll}},
		MasterKey: ringwall.NewSecret("6b0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeef"),
	}
	ours, theirs := db.DSN, db.OwnerDSN
	if db.Engine == "sqlite" {
		ours = strings.Replace(db.DSN, "ringwall.db", "invoices.db", 1)
		theirs = ours
	}
	owner, dialect, err := app.Open(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if fresh, err := app.Migrate(t.Context(), owner, dialect, testdb.RuntimeRole); err != nil || !fresh {
		t.Fatalf("Migrate = %v, %v; want fresh tables", fresh, err)
	}
	if fresh, err := app.Migrate(t.Context(), owner, dialect, testdb.RuntimeRole); err != nil || fresh {
		t.Fatalf("Migrate again = %v, %v; want nothing to do", fresh, err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	opened, dialect, err := app.Open(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	config := app.Config{DB: opened, Dialect: dialect}
	if change != nil {
		change(&config)
	}
	a, err := app.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, app: a, dsn: theirs}
	s.Server = ringwalltest.StartApp(t, options, a.Handler(), publicOf(config)...)
	return s
}

func publicOf(c app.Config) []string {
	if c.Off[app.StrictRouting] {
		return app.Public()
	}
	return nil
}

// person is somebody with a browser: forms go with their hidden fields, as a page without script sends them.
type person struct {
	*ringwalltest.Client
	s *site
}

func (s *site) person(address string) *person {
	s.t.Helper()
	p := &person{s.SignIn(address), s}
	p.Header.Set("Accept", "text/html")
	return p
}

// accountant is somebody who may read everybody's invoices.
func (s *site) accountant(address string) *person {
	s.t.Helper()
	p := s.person(address)
	s.Grant(address, app.AccountantRole)
	return p
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z_]+)" value="([^"]*)">`)

// form is what the form of a page with this action sends by itself.
func (p *person) form(page, action string) url.Values {
	p.s.t.Helper()
	got := p.Get(page)
	_, after, ok := strings.Cut(string(got.Body), `action="`+action+`"`)
	if got.Status != 200 || !ok {
		p.s.t.Fatalf("GET %s = %d, and has no form for %s\n%s", page, got.Status, action, got.Body)
	}
	inner, _, _ := strings.Cut(after, "</form>")
	fields := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(inner, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	return fields
}

// submit fills in a form of a page and sends it: the token is that of the form alone.
func (p *person) submit(page, action string, typed map[string]string) ringwalltest.Answer {
	p.s.t.Helper()
	fields := p.form(page, action)
	for name, value := range typed {
		fields.Set(name, value)
	}
	return p.send(action, fields)
}

func (p *person) send(action string, fields url.Values) ringwalltest.Answer {
	p.s.t.Helper()
	p.CSRF = ""
	return p.Do("POST", action, fields)
}

// invoice makes an invoice and returns its path.
func (p *person) invoice(number, customer, amount string) string {
	p.s.t.Helper()
	got := p.submit("/invoices/new", "/invoices", map[string]string{"number": number, "customer": customer, "amount": amount, "due": "2026-12-01"})
	path, _, _ := strings.Cut(got.Header.Get("Location"), "?")
	if got.Status != http.StatusSeeOther || !strings.HasPrefix(path, "/invoices/") {
		p.s.t.Fatalf("a new invoice = %d to %q\n%s", got.Status, path, got.Body)
	}
	return path
}

func expect(t *testing.T, what string, got ringwalltest.Answer, status int, texts ...string) {
	t.Helper()
	_, main, isPage := strings.Cut(string(got.Body), "<main")
	if !isPage {
		main = string(got.Body)
	}
	if got.Status != status {
		t.Errorf("%s = %d, want %d\n%s", what, got.Status, status, main)
		return
	}
	for _, text := range texts {
		if !strings.Contains(main, text) {
			t.Errorf("%s does not say %q:\n%s", what, text, main)
		}
	}
}

func TestStory(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		expect(t, "the front page", s.Client().Get("/"), 200, "Invoices that only you can see")
		stranger := s.Client()
		stranger.Header.Set("Accept", "text/html")
		if got := stranger.Get("/invoices"); got.Status != 303 || !strings.HasPrefix(got.Header.Get("Location"), "/auth/login") {
			t.Errorf("a stranger at /invoices = %d to %q, want to sign in", got.Status, got.Header.Get("Location"))
		}
		ada := s.person("ada@example.org")
		expect(t, "no invoices", ada.Get("/invoices"), 200, "There is no invoice yet.")
		expect(t, "an empty form", ada.submit("/invoices/new", "/invoices", nil), 422, `href="#number"`, "This field is required.")
		expect(t, "a wrong amount", ada.submit("/invoices/new", "/invoices", map[string]string{"number": "A-1", "customer": `Q & "A"`, "amount": "-1", "due": "2026-12-01"}), 422,
			"Write an amount such as 12.50", `value="Q &amp; &#34;A&#34;"`)
		first := ada.invoice("A-1", "Harbour Books", "1250.5")
		ada.invoice("A-2", "O'Brien", "99")
		expect(t, "the list", ada.Get("/invoices"), 200, "1,349.50 € of 1,349.50 € is still open", "Harbour Books", "O&#39;Brien")
		expect(t, "one invoice", ada.Get(first+"?done=created"), 200, "The invoice is made.", "1,250.50 €", "1 December 2026", "Open")
		if got := ada.submit(first, first, nil); got.Status != 303 {
			t.Errorf("mark as paid = %d\n%s", got.Status, got.Body)
		}
		expect(t, "paid", ada.Get(first), 200, "Open it again")
		expect(t, "neither paid nor open", ada.submit(first, first, map[string]string{"status": "lost"}), 422)
		if got := ada.submit(first, first+"/comments", map[string]string{"text": "They pay **late**."}); got.Status != 303 {
			t.Errorf("a comment = %d\n%s", got.Status, got.Body)
		}
		expect(t, "the comment", ada.Get(first), 200, "They pay <strong>late</strong>.")
		wrong := string(ada.submit("/invoices/new", "/invoices", map[string]string{"amount": "-3"}).Body)
		at := func(field string) int { return strings.Index(wrong, `<a href="#`+field+`">`) }
		if order := []int{0, at("number"), at("customer"), at("amount"), at("due")}; !slices.IsSorted(order) {
			t.Errorf("the summary of what is wrong is not in the order of the form: %v\n%s", order, wrong)
		}
		expect(t, "the search", ada.Get("/search?q=o'b&sort=amount"), 200, "1 found for “o’b”")
		expect(t, "a search for nothing", ada.Get("/search?q=nobody&sort=due"), 200, "Nothing found for “nobody”")
		got := ada.submit("/reports", "/reports", map[string]string{"by": "amount"})
		expect(t, "the report", got, 200, "2 invoices", "1,250.50 €", "1,349.50 €")
		if strings.Index(string(got.Body), "A-2") > strings.Index(string(got.Body), "A-1") {
			t.Errorf("the report is not in order of amount:\n%s", got.Body)
		}
		if got := ada.submit("/profile", "/profile", map[string]string{"display_name": "Ada L.", "about": "I write <b>invoices</b>."}); got.Status != 303 {
			t.Errorf("the profile = %d\n%s", got.Status, got.Body)
		}
		expect(t, "the profile", ada.Get("/profile"), 200, "Ada L.", "I write &lt;b&gt;invoices&lt;/b&gt;.", "100.00 €")
		expect(t, "a page that is not there", ada.Get("/nothing"), 404)
		eve := s.accountant("eve@example.org")
		expect(t, "everybody's", eve.Get("/admin/invoices"), 200, "ada@example.org", "Harbour Books")
		expect(t, "anybody's", eve.Get("/admin"+first), 200, "They pay <strong>late</strong>.", "ada@example.org")
	})
}

func TestExport(t *testing.T) {
	s := start(t, testdb.SQLite(t), nil)
	ada := s.person("ada@example.org")
	path := ada.invoice("=1+1", `+Harbour, "Books"`, "10")
	want := "number,customer,amount,due,status\n'=1+1,\"'+Harbour, \"\"Books\"\"\",10.00,2026-12-01,open\n"
	for _, path := range []string{"/invoices/export", path + "/export"} {
		got := ada.Get(path)
		if got.Status != 200 || string(got.Body) != want {
			t.Errorf("GET %s = %d\n%s\nwant\n%s", path, got.Status, got.Body, want)
		}
		if kind, file := got.Header.Get("Content-Type"), got.Header.Get("Content-Disposition"); kind != "text/csv; charset=utf-8" || !strings.HasPrefix(file, `attachment; filename="invoice`) {
			t.Errorf("GET %s is %q, %q; want a file of CSV", path, kind, file)
		}
	}
}

// A person whose address went to somebody else keeps their row, and money for the address reaches its owner of today.
func TestAddressThatMoved(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		old := s.person("shared@example.org")
		old.Get("/transfers")
		operate(t, s, "user.delete", map[string]any{"user": "shared@example.org", "now": true})
		s.Mail("shared@example.org", 2) // that it is gone
		now := s.person("shared@example.org")
		now.Get("/transfers")
		ada := s.person("ada@example.org")
		expect(t, "a transfer", ada.submit("/transfers", "/transfers", map[string]string{"to": "shared@example.org", "amount": "5"}), 303)
		expect(t, "the new owner", now.Get("/transfers"), 200, "105.00 €")
	})
}

func operate(t *testing.T, s *site, command string, in any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ringwall.Operate(t.Context(), "test", command, body); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// The people of the demonstration sign in with the password of the day, and have something to see.
func TestDemo(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		password, err := s.app.Demo(t.Context(), s.Ringwall)
		if err != nil {
			t.Fatal(err)
		}
		for i, email := range app.DemoPeople() {
			c := s.Client()
			c.SignIn(email, password)
			expect(t, email, c.Get("/invoices"), 200, "is still open")
			expect(t, email, c.Get("/transfers"), 200, "1,000.00 €")
			status := map[bool]int{true: 200, false: 403}[i == len(app.DemoPeople())-1]
			if got := c.Get("/admin/invoices"); got.Status != status {
				t.Errorf("%s at everybody's invoices = %d, want %d", email, got.Status, status)
			}
		}
		if again, err := s.app.Demo(t.Context(), s.Ringwall); err == nil || again == password {
			t.Errorf("Demo again = %q, %v; want an error: people are made once", again, err)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := app.New(t.Context(), app.Config{}); err == nil {
		t.Error("New without a database is no error")
	}
	if _, _, err := app.Open("mysql:x"); err == nil {
		t.Error("Open of another database is no error")
	}
	db, dialect, err := app.Open("sqlite:" + t.TempDir() + "/a.db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := app.New(t.Context(), app.Config{DB: db, Dialect: dialect, Sort: "/bin/sh"}); err == nil {
		t.Error("New with a shell that sorts is no error")
	}
}

func TestCents(t *testing.T) {
	for text, want := range map[string]app.Cents{"12": 1200, "12.5": 1250, "0.01": 1, "1000000": app.MostCents, "007.10": 710} {
		var c app.Cents
		if err := c.UnmarshalText([]byte(text)); err != nil || c != want {
			t.Errorf("%q = %d, %v; want %d", text, c, err, want)
		}
	}
	for _, text := range []string{"", "0", "0.00", "-1", "+1", "1.", ".", "1.234", "1e3", "1,000", "1000000.01", "99999999999999999999", "١", "1_0", " 1"} {
		var c app.Cents
		if err := c.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q = %d, want a fault", text, c)
		}
	}
	if got := fmt.Sprint(app.Cents(1_234_567_89), app.Cents(5), app.Cents(100_000_00)); got != "1,234,567.89 € 0.05 € 100,000.00 €" {
		t.Errorf("amounts are written %s", got)
	}
}

// An amount from a form is above zero and bounded, and comes out as it went in.
func FuzzCents(f *testing.F) {
	for _, text := range []string{"1", "0.01", "1000000.00", "12.5", "-0.01", "9223372036854775807", "1e6", "०"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c, again app.Cents
		if c.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(c.Plain())); err != nil || again != c || c <= 0 || c > app.MostCents {
			t.Errorf("%q = %d, and %s = %d, %v", text, c, c.Plain(), again, err)
		}
	})
}
