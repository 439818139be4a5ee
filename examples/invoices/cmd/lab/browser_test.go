package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// browser looks at pages.
type browser struct {
	t       *testing.T
	ctx     context.Context
	refused atomic.Bool // a refusal is no complaint
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := os.Getenv("RINGWALL_TEST_CHROMIUM")
	if _, err := os.Stat(path); err != nil {
		t.Fatal("RINGWALL_TEST_CHROMIUM does not name a Chromium: run the tests with `make test`, which finds or installs one")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("lang", "en-US"), chromedp.Flag("font-render-hinting", "none"))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	b := &browser{t: t, ctx: ctx}
	b.must(chromedp.Do(ctx))
	b.must(chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok && e.Entry.Level == log.EntryLevelError && !b.refused.Load() {
			t.Errorf("the browser complains: %s %s", e.Entry.Text, e.Entry.URL)
		}
	}))
	return b
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	b.must(err)
	return value
}

func (b *browser) visit(address string) {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	_, err := chromedp.RunResponse(ctx, chromedp.Navigate(address))
	b.must(err)
}

// until waits for a condition in the page.
func (b *browser) until(condition string) {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	for {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); err == nil && ok { // a page that goes away is no error
			return
		}
		if ctx.Err() != nil {
			b.t.Fatalf("never came true: %s", condition)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// screen is how somebody sees a page.
type screen struct {
	name  string
	width int64
	dark  bool
}

func (b *browser) as(l screen) {
	b.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: 900, DeviceScaleFactor: 1})
	b.must(err)
	_, err = chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}, // what is scrolled to is there at once
	}})
	b.must(err)
}

// faults are what axe-core finds in a page, and what does not fit into it.
func (b *browser) faults(axe string) (faults []string) {
	b.t.Helper()
	if eval[bool](b, `document.documentElement.scrollWidth > innerWidth`) {
		faults = append(faults, "the page is wider than its window")
	}
	if !eval[bool](b, `"axe" in window`) {
		eval[any](b, axe+";0")
	}
	raw := eval[string](b, `axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}).then(r => JSON.stringify(r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + " " + n.target + " " + n.failureSummary))))`)
	var found []string
	b.must(json.Unmarshal([]byte(raw), &found))
	return append(faults, found...)
}

// shoot writes the picture of a page into the folder RINGWALL_SCREENS, if that is set.
func (b *browser) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("RINGWALL_SCREENS")
	if folder == "" {
		return
	}
	beyond := true
	size := eval[[]float64](b, `[document.documentElement.clientWidth, document.documentElement.scrollHeight]`)
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &beyond, Clip: &page.Viewport{Width: size[0], Height: min(size[1], 4000), Scale: 1},
	})
	b.must(err)
	b.must(os.WriteFile(filepath.Join(folder, name+".png"), shot.Data, 0o600))
}

// press clicks the button or link with this text and waits for the page that comes.
func (b *browser) press(text string) {
	b.t.Helper()
	literal, err := json.Marshal(text)
	b.must(err)
	at := eval[[]float64](b, fmt.Sprintf(`(async e => {
		if (!e) return [];
		e.scrollIntoView({block: "center", behavior: "instant"});
		await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100))));
		const r = e.getClientRects()[0]; return [r.left + r.width / 2, r.top + r.height / 2];
	})([...document.querySelectorAll("button, a")].find(e => e.textContent.trim() === %s))`, literal))
	if len(at) != 2 {
		b.t.Fatalf("nothing to press that says %q:\n%s", text, b.text())
	}
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	_, err = chromedp.RunResponse(ctx, chromedp.MouseClickXY(at[0], at[1]))
	b.must(err)
}

func (b *browser) text() string { return eval[string](b, `document.body.innerText`) }

func (b *browser) sees(texts ...string) {
	b.t.Helper()
	have := b.text()
	for _, text := range texts {
		if !strings.Contains(have, text) {
			b.t.Errorf("the page does not say %q:\n%s", text, have)
		}
	}
}
