// Package webtest_test proves the pages in a real Chromium: what people can do, what a keyboard and a screen reader
// find, what axe-core says, how each page looks, and that attacks from other sites and from markup come to nothing.
//
// RINGWALL_TEST_CHROMIUM and RINGWALL_TEST_AXE say where Chromium and axe-core lie; `make test` sets both, and without
// them the tests fail. With RINGWALL_SCREENS a folder, [TestScreens] writes the picture of each page there (`make screens`).
//
// One Chromium serves the package. Each [browser] is a browser context of its own, as fresh as one that nobody has used,
// and fails its test at the end if any page wrote an error to the console, broke our policy or opened a dialog.
package webtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long one step may take on a busy machine.
const patience = 30 * time.Second

// User agents as browsers send them.
const (
	onLinux   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	onAndroid = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
	onMac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15"
	onWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0"
	onPhone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)

var (
	errNoChromium = errors.New("RINGWALL_TEST_CHROMIUM does not name a Chromium: run the tests with `make test`, which finds or installs one")

	// chromium starts the one process. [TestMain] ends it.
	chromium = sync.OnceValues(startChromium)
)

func TestMain(m *testing.M) {
	code := m.Run()
	if ctx, err := chromium(); err == nil {
		if err := chromedp.Cancel(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "end Chromium:", err)
		}
	}
	os.Exit(code)
}

func startChromium() (context.Context, error) {
	path := os.Getenv("RINGWALL_TEST_CHROMIUM")
	if _, err := os.Stat(path); err != nil {
		return nil, errNoChromium
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.IgnoreCertErrors,
		chromedp.Flag("lang", "en-US"), chromedp.Flag("short-reporting-delay", true), chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("disable-lcd-text", true),
	)
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	return ctx, chromedp.Do(ctx)
}

// browser is somebody's browser: its cookies, history and console are nobody else's.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string // of the server that paths belong to

	mu         sync.Mutex
	status     int             // of the last document
	documents  map[string]bool // addresses of documents, whose refusals are no error of a page
	complaints []complaint
	dialogs    []string
}

type complaint struct{ source, text, url string }

// as is how a browser introduces itself.
type as struct {
	agent    string // "": onLinux
	language string // "": English
	address  string // what a proxy would say; "": none
	noScript bool
}

// open starts a browser in front of a server.
func open(t *testing.T, base string, who as) *browser {
	t.Helper()
	process, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := chromedp.NewContext(process, chromedp.WithNewBrowserContext())
	b := &browser{t: t, ctx: ctx, base: base, documents: map[string]bool{}}
	t.Cleanup(func() {
		b.quiet()
		end()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a browser: %v", err)
	}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("listen to the browser: %v", err)
	}
	if who.agent == "" {
		who.agent = onLinux
	}
	if who.language == "" {
		who.language = "en-GB"
	}
	must(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: who.agent, AcceptLanguage: who.language})
	must(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"})
	must(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	must(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: who.noScript})
	if who.address != "" {
		must(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"X-Forwarded-For": who.address}})
	}
	return b
}

// hear takes down what the browser says. It runs on the goroutine that reads from the browser, so it must not ask back.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complaints = append(b.complaints, complaint{string(e.Entry.Source), e.Entry.Text, e.Entry.URL})
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.complaints = append(b.complaints, complaint{"console", fmt.Sprint(len(e.Args), " values"), ""})
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		b.complaints = append(b.complaints, complaint{"exception", text, e.ExceptionDetails.URL})
	case *page.EventJavascriptDialogOpening:
		b.dialogs = append(b.dialogs, e.Message)
		go func() {
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
		}()
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			b.documents[e.Response.URL] = true
			b.status = int(e.Response.Status)
		}
	}
}

// complained is what pages have complained of so far, and forgets it. That a document was refused is the test's matter.
func (b *browser) complained() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		if c.source == string(log.EntrySourceNetwork) && b.documents[c.url] && strings.Contains(c.text, "responded with a status of") {
			continue
		}
		all = append(all, c.source+": "+c.text+" "+c.url)
	}
	b.complaints = nil
	return all
}

// quiet fails the test if a page has complained or opened a dialog.
func (b *browser) quiet() {
	b.t.Helper()
	for _, text := range b.complained() {
		b.t.Errorf("the browser complains: %s", text)
	}
	b.noDialog("so far")
}

func (b *browser) noDialog(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.dialogs {
		b.t.Errorf("%s: a script ran and opened a dialog: %q", where, text)
	}
	b.dialogs = nil
}

// step is a context for one step.
func (b *browser) step() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}
