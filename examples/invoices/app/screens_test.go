package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/ringwall/ringwall/internal/testdb"
)

// browser is a real Chromium.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string
}

func openBrowser(t *testing.T, base string) *browser {
	t.Helper()
	path := os.Getenv("RINGWALL_TEST_CHROMIUM")
	if _, err := os.Stat(path); err != nil {
		t.Fatal("RINGWALL_TEST_CHROMIUM does not name a Chromium: run the tests with `make test`, which finds or installs one")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.IgnoreCertErrors,
		chromedp.Flag("lang", "en-US"), chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("disable-lcd-text", true))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(end)
	b := &browser{t, ctx, base}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a browser: %v", err)
	}
	if err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok && e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "responded with a status of") {
			t.Errorf("the browser complains: %s %s", e.Entry.Text, e.Entry.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func must[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// eval is the value of an expression in the page. It comes through the debugger, which no policy stops.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %.120s: %v", expression, err)
	}
	return value
}

func (b *browser) goes(what string, step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		b.t.Fatalf("%s: no page came: %v", what, err)
	}
}

func (b *browser) visit(path string) {
	b.t.Helper()
	b.goes("visit "+path, chromedp.Navigate(b.base+path))
}

// fill types into a field.
func (b *browser) fill(id, text string) {
	b.t.Helper()
	literal, err := json.Marshal(text)
	if err != nil {
		b.t.Fatal(err)
	}
	eval[any](b, fmt.Sprintf(`document.getElementById(%q).value = %s, 0`, id, literal))
}

// press presses the button of the form with this action, and waits for the page that comes.
func (b *browser) press(action string) {
	b.t.Helper()
	at := eval[[]float64](b, fmt.Sprintf(`(e => { e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; })(document.querySelector('main form[action="%s"] button:not([type=button])'))`, action))
	// A browser drops clicks on what nobody has seen yet.
	eval[any](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100, 0))))`)
	b.goes("press the button of "+action, chromedp.MouseClickXY(at[0], at[1]))
}

type look struct {
	name          string
	width, height int64
	scheme        string
}

func (b *browser) lookAt(l look) {
	b.t.Helper()
	must(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: l.height, DeviceScaleFactor: 1})
	must(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}})
	eval[bool](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
}

// faults lists what axe-core finds, what is wider than the window, and what is too small to press.
func (b *browser) faults(axe string) (faults []string) {
	b.t.Helper()
	if !eval[bool](b, `"axe" in window`) {
		eval[any](b, axe+";0")
	}
	return append(eval[[]string](b, `(() => {
		const faults = [], width = document.documentElement.clientWidth, name = e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40);
		if (document.querySelector("script, style, [style]")) faults.push("there is script or style in the page");
		if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways: " + document.documentElement.scrollWidth + " > " + width);
		for (const e of document.querySelectorAll("main *, header *")) {
			const r = e.getBoundingClientRect();
			if (e.checkVisibility() && r.width > 1 && (r.right > width + 0.5 || r.left < -0.5)) faults.push("outside of the window: " + name(e));
		}
		for (const e of document.querySelectorAll("a, button, input, select, textarea")) {
			if (!e.checkVisibility() || e.type === "hidden" || e.closest(".skip") || e.tagName === "A" && getComputedStyle(e).display === "inline") continue;
			if (e.getBoundingClientRect().height < 43.5) faults.push("too small to hit: " + name(e));
		}
		return faults;
	})()`), eval[[]string](b, `axe.run(document, {
		runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice", "section508", "EN-301-549", "RGAAv4"]},
		rules: {"target-size": {enabled: true}},
	}).then(r => [...r.violations, ...r.incomplete].flatMap(v => v.nodes.map(n => v.id + ": " + v.help + " " + n.target + " " + (n.failureSummary || n.any.map(c => c.message).join("; ")))))`)...)
}

// picture is the whole page.
func (b *browser) picture(l look) []byte {
	b.t.Helper()
	beyond := true
	return must(b, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &beyond,
		Clip: &page.Viewport{Width: float64(l.width), Height: min(eval[float64](b, `document.documentElement.scrollHeight`), 4000), Scale: 1},
	}).Data
}

// TestScreens goes through every page, none of which has script, and holds it against what every page must be, in both
// schemes, wide and at 320 px. Where RINGWALL_SCREENS names a folder it leaves a picture of each there.
func TestScreens(t *testing.T) {
	axe, err := os.ReadFile(os.Getenv("RINGWALL_TEST_AXE"))
	if err != nil {
		t.Fatalf("RINGWALL_TEST_AXE does not name axe.min.js: run the tests with `make test`, which fetches it (%v)", err)
	}
	s := start(t, testdb.SQLite(t), nil)
	password, err := s.app.Demo(t.Context(), s.Ringwall)
	if err != nil {
		t.Fatal(err)
	}
	b := openBrowser(t, s.URL)
	shoot := func(name string) {
		t.Helper()
		for _, l := range []look{{"wide-light", 1280, 800, "light"}, {"wide-dark", 1280, 800, "dark"}, {"narrow-light", 320, 640, "light"}, {"narrow-dark", 320, 640, "dark"}} {
			b.lookAt(l)
			for _, fault := range b.faults(string(axe)) {
				t.Errorf("%s, %s: %s", name, l.name, fault)
			}
			if folder := os.Getenv("RINGWALL_SCREENS"); folder != "" {
				if err := os.WriteFile(filepath.Join(folder, "invoices-"+name+"-"+l.name+".png"), b.picture(l), 0o600); err != nil {
					t.Error(err)
				}
			}
		}
		b.lookAt(look{"", 1280, 800, "light"})
	}
	b.visit("/")
	shoot("front")
	b.visit("/auth/login?return_to=/invoices")
	b.fill("email", "eve@example.com")
	b.fill("password", password)
	b.press("/auth/login")
	shoot("list")
	b.visit("/")
	shoot("home")
	b.visit("/invoices/new")
	b.press("/invoices")
	shoot("new")
	for id, text := range map[string]string{"number": "E-2", "customer": "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch Railway & Sons", "amount": "1000000", "due": "2026-12-24"} {
		b.fill(id, text)
	}
	b.press("/invoices")
	here := strings.TrimPrefix(eval[string](b, `location.pathname`), s.URL)
	b.fill("text", "# A heading\n\nSome `code`, a [link](https://example.com) and\n\n> a quote\n\n1. one\n2. two\n\n<script>alert(1)</script><img src=x onerror=alert(1)>")
	b.press(here + "/comments")
	shoot("invoice")
	b.visit("/search?q=e&sort=amount")
	shoot("search")
	b.visit("/search?q=%3Cscript%3E&sort=amount")
	shoot("search-fault")
	b.visit("/transfers")
	b.fill("to", "ada@example.com")
	b.fill("amount", "12.50")
	b.press("/transfers")
	shoot("transfers")
	b.visit("/reports")
	b.press("/reports")
	shoot("report")
	b.visit("/webhook-target")
	b.fill("url", "https://127.0.0.1/admin")
	b.press("/webhook-target")
	shoot("webhook")
	file := filepath.Join(t.TempDir(), "me.png")
	if err := os.WriteFile(file, portrait(t), 0o600); err != nil {
		t.Fatal(err)
	}
	b.visit("/profile")
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	if err := chromedp.Do(ctx, chromedp.SetUploadFiles("#picture", []string{file})); err != nil {
		t.Fatal(err)
	}
	b.press("/profile/avatar")
	if !eval[bool](b, `(i => i !== null && i.complete && i.naturalWidth === 80)(document.querySelector(".me img"))`) {
		t.Errorf("the uploaded picture does not show:\n%s", eval[string](b, `document.querySelector("main").innerText`))
	}
	shoot("profile")
	b.visit("/admin/invoices")
	shoot("admin")
	b.visit("/invoices/nothing")
	shoot("error")
}

// portrait is a picture of 80 by 80.
func portrait(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 80, 80))
	for i := range 80 * 80 {
		img.Set(i%80, i/80, color.RGBA{uint8(i % 80 * 3), uint8(i / 80 * 3), 160, 255})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
