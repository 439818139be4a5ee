package webtest_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// must sends a command to the browser.
func must[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, end := b.step()
	defer end()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// eval is the value of an expression in the page. It works where pages may run no script too.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, end := b.step()
	defer end()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %.120s: %v", expression, err)
	}
	return value
}

// quote is text as a JavaScript literal.
func quote(text string) string {
	literal, err := json.Marshal(text)
	if err != nil {
		return `""` // a string always has one
	}
	return string(literal)
}

// goes takes the steps, waits for the page to which they lead, and returns its status.
func (b *browser) goes(what string, steps ...chromedp.Action[chromedp.Void]) int {
	b.t.Helper()
	ctx, end := b.step()
	defer end()
	if _, err := chromedp.RunResponse(ctx, steps...); err != nil {
		b.t.Fatalf("%s: no page came: %v (at %s)", what, err, b.url())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// visit goes to a path of the server, or to an address, and returns the status.
func (b *browser) visit(target string) int {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.base + target
	}
	return b.goes("visit "+target, chromedp.Navigate(target))
}

// back presses the back button.
func (b *browser) back() {
	b.t.Helper()
	history := must(b, page.GetNavigationHistory, cdp.Empty{})
	if history.CurrentIndex == 0 {
		b.t.Fatal("there is nothing to go back to")
	}
	must(b, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: history.Entries[history.CurrentIndex-1].ID})
	b.settle()
}

// settle waits until the page has sent what it wants to send.
func (b *browser) settle() {
	b.t.Helper()
	b.until(`document.readyState === "complete"`)
	time.Sleep(250 * time.Millisecond)
}

// url is the address of the page, without the origin if it is the server's.
func (b *browser) url() string {
	ctx, end := b.step()
	defer end()
	at, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return "nowhere: " + err.Error()
	}
	return strings.TrimPrefix(at, b.base)
}

// text is what a person can read, of the whole page.
func (b *browser) text() string { return eval[string](b, `document.body.innerText`) }

// count is how many elements a selector finds.
func (b *browser) count(selector string) int {
	b.t.Helper()
	return eval[int](b, `document.querySelectorAll(`+quote(selector)+`).length`)
}

// of is the text of the first element that a selector finds.
func (b *browser) of(selector string) string {
	b.t.Helper()
	return eval[string](b, `(document.querySelector(`+quote(selector)+`) || {innerText: "(there is no `+strings.ReplaceAll(selector, `"`, `'`)+`)"}).innerText.trim()`)
}

// value is what stands in a field.
func (b *browser) value(id string) string {
	b.t.Helper()
	return eval[string](b, `document.getElementById(`+quote(id)+`).value`)
}

// clickOn is a click into the middle of the first element that a selector finds.
func clickOn(b *browser, selector string) chromedp.Action[chromedp.Void] {
	b.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && !eval[bool](b, `performance.getEntriesByType("paint").length > 0`); {
		time.Sleep(50 * time.Millisecond)
	}
	at := eval[[]float64](b, `(e => { e.scrollIntoView({block: "center"}); const r = e.getClientRects()[0]; return [r.left + r.width / 2, r.top + r.height / 2]; })(document.querySelector(`+quote(selector)+`))`)
	return chromedp.MouseClickXY(at[0], at[1])
}

// escape is text as the value of a query.
func escape(text string) string { return url.QueryEscape(text) }

// fill types into the field with this label, in place of what stands there.
func (b *browser) fill(label, text string) {
	b.t.Helper()
	ok := eval[bool](b, `(() => {
		const label = [...document.querySelectorAll("label")].find(l => l.checkVisibility() && l.textContent.trim().startsWith(`+quote(label)+`));
		if (!label || !label.control) return false;
		label.control.focus(); label.control.select();
		return document.activeElement === label.control;
	})()`)
	if !ok {
		b.t.Fatalf("no field %q at %s:\n%s", label, b.url(), b.text())
	}
	if text == "" {
		b.keys("\b")
		return
	}
	must(b, input.InsertText, input.InsertTextParams{Text: text})
}

// keys presses keys.
func (b *browser) keys(keys string, options ...chromedp.KeyOption) {
	b.t.Helper()
	ctx, end := b.step()
	defer end()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(keys, options...)); err != nil {
		b.t.Fatalf("press %q: %v", keys, err)
	}
}

// enter presses Enter and waits for the page that comes.
func (b *browser) enter() int {
	b.t.Helper()
	return b.goes("press Enter", chromedp.KeyEvent("\r"))
}

// place is the middle of the visible button or link with this text, nth of them, scrolled into view. As a mouse would
// see it: something that is covered or too small to hit is not there.
func (b *browser) place(text string, nth int) (x, y float64) {
	b.t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		at := eval[[]float64](b, fmt.Sprintf(`(() => {
		if (%t && !performance.getEntriesByType("paint").length) return []; // a browser drops clicks on what nobody has seen yet
		const seen = e => [...e.childNodes].filter(n => !(n.classList && n.classList.contains("unseen"))).map(n => n.textContent).join("").trim();
		const e = [...document.querySelectorAll("button, a, label, summary")].filter(e => e.checkVisibility() && !e.disabled && seen(e) === %s)[%d];
		if (!e) return [];
		e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getClientRects()[0], x = r.left + r.width / 2, y = r.top + r.height / 2;
		const hit = document.elementFromPoint(x, y);
		return e.contains(hit) ? [x, y] : [];
	})()`, time.Until(end) > 5*time.Second, quote(text), nth))
		if len(at) == 2 {
			return at[0], at[1]
		}
		if time.Now().After(end) {
			b.t.Fatalf("no button or link %q to press at %s:\n%s", text, b.url(), b.text())
		}
	}
}

// press clicks the button or link with this text and waits for the page that comes. It returns the status.
func (b *browser) press(text string) int { b.t.Helper(); return b.pressNth(text, 0) }

func (b *browser) pressNth(text string, nth int) int {
	b.t.Helper()
	x, y := b.place(text, nth)
	return b.goes("press "+text, chromedp.MouseClickXY(x, y))
}

// click clicks something that leads nowhere else.
func (b *browser) click(text string) {
	b.t.Helper()
	x, y := b.place(text, 0)
	ctx, end := b.step()
	defer end()
	if err := chromedp.Do(ctx, chromedp.MouseClickXY(x, y)); err != nil {
		b.t.Fatalf("click %q: %v", text, err)
	}
}

// sees fails the test unless the page says all of this.
func (b *browser) sees(texts ...string) {
	b.t.Helper()
	have := b.text()
	for _, text := range texts {
		if !strings.Contains(have, text) {
			b.t.Fatalf("the page %s does not say %q:\n%s", b.url(), text, have)
		}
	}
}

// seesNot fails the test if the page says any of this.
func (b *browser) seesNot(texts ...string) {
	b.t.Helper()
	have := b.text()
	for _, text := range texts {
		if strings.Contains(have, text) {
			b.t.Fatalf("the page %s says %q:\n%s", b.url(), text, have)
		}
	}
}

// at fails the test unless the browser is at this path (with or without a query).
func (b *browser) at(path string) {
	b.t.Helper()
	if at, _, _ := strings.Cut(b.url(), "?"); at != path && b.url() != path {
		b.t.Fatalf("the browser is at %s, want %s:\n%s", b.url(), path, b.text())
	}
}

// until waits for a condition in the page.
func (b *browser) until(condition string) {
	b.t.Helper()
	for end := time.Now().Add(patience); !eval[bool](b, condition); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("never came true: %s", condition)
		}
	}
}

// signIn signs in through the page.
func (b *browser) signIn(address, password string) {
	b.t.Helper()
	b.visit("/auth/login")
	b.fill("Email address", address)
	b.fill("Password", password)
	b.press("Sign in")
	b.at("/auth/account")
}
