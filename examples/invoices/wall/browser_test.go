package wall_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

const patience = 30 * time.Second

// chromium starts the one process. [TestMain] ends it. All names under .test are this machine.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path := os.Getenv("RINGWALL_TEST_CHROMIUM")
	if _, err := os.Stat(path); err != nil {
		return nil, errors.New("RINGWALL_TEST_CHROMIUM does not name a Chromium: run the tests with `make test`, which finds or installs one")
	}
	// A context of its own counts as incognito, where Chromium keeps cookies from frames of other sites. It is the victim's
	// usual window that is attacked here, which does not.
	preferences := filepath.Join(profile(), "Default", "Preferences")
	if err := errors.Join(os.MkdirAll(filepath.Dir(preferences), 0o700), os.WriteFile(preferences, []byte(`{"profile":{"cookie_controls_mode":0}}`), 0o600)); err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile()), chromedp.NoSandbox, chromedp.IgnoreCertErrors,
		chromedp.Flag("lang", "en-US"), chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
	)
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	return ctx, chromedp.Do(ctx)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if ctx, err := chromium(); err == nil {
		if err := chromedp.Cancel(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "end Chromium:", err)
		}
	}
	if err := os.RemoveAll(profile()); err != nil {
		fmt.Fprintln(os.Stderr, "remove the profile:", err)
	}
	os.Exit(code)
}

// profile is where this Chromium keeps its settings.
func profile() string { return filepath.Join(os.TempDir(), "ringwall-wall-"+strconv.Itoa(os.Getpid())) }

// browser is somebody's browser, with cookies of its own.
type browser struct {
	ctx context.Context

	traffic *traffic

	mu      sync.Mutex
	dialogs []string
}

// traffic is what the servers know of requests: a page that has sent one is not at rest before it is answered.
type traffic struct {
	mu      sync.Mutex
	pending int
	last    time.Time
}

func (f *traffic) count(next http.Handler) http.Handler {
	add := func(n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.pending += n
		f.last = time.Now()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		add(1)
		defer add(-1)
		next.ServeHTTP(w, r)
	})
}

// begin is called before something that sends requests.
func (f *traffic) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = time.Now()
}

func (f *traffic) quiet() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pending == 0 && time.Since(f.last) > stillness
}

// stillness is how long nothing moves before a page counts as one that is done.
const stillness = 300 * time.Millisecond

// opener opens browsers that end with the test.
func opener(t *testing.T, f *traffic) func() (*browser, error) {
	process, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	return func() (*browser, error) {
		ctx, end := chromedp.NewContext(process, chromedp.WithNewBrowserContext())
		t.Cleanup(end)
		b := &browser{ctx: ctx, traffic: f}
		if err := chromedp.Do(ctx); err != nil {
			return nil, fmt.Errorf("open a browser: %w", err)
		}
		return b, chromedp.Listen(ctx, b.hear)
	}
}

// hear takes down what the browser says. It runs on the goroutine that reads from the browser, so it must not ask back.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := event.(*page.EventJavascriptDialogOpening); ok {
		b.dialogs = append(b.dialogs, e.Message)
		go func() {
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
		}()
	}
}

func (b *browser) step() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}

func eval[T any](b *browser, expression string) (T, error) {
	ctx, end := b.step()
	defer end()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// settle waits until page and frames are loaded and nothing has been sent for a while.
func (b *browser) settle() error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		if !b.traffic.quiet() {
			continue
		}
		if ready, err := eval[bool](b, `document.readyState === "complete"`); err == nil && ready && b.traffic.quiet() {
			return nil
		}
	}
	return errors.New("the page never came to rest")
}

// goes takes a step that leads to a page, and waits for it.
func (b *browser) goes(step chromedp.Action[chromedp.Void]) error {
	b.traffic.begin()
	ctx, end := b.step()
	defer end()
	if _, err := chromedp.RunResponse(ctx, step); err != nil && !strings.Contains(err.Error(), "net::ERR_ABORTED") { // a download
		return err
	}
	b.traffic.begin()
	return b.settle()
}

func (b *browser) Visit(address string) error {
	if err := b.goes(chromedp.Navigate(address)); err != nil {
		return fmt.Errorf("visit %s: %w", address, err)
	}
	return nil
}

func (b *browser) Fill(selector, text string) error {
	ok, err := eval[bool](b, `(e => e ? (e.focus(), e.select(), document.activeElement === e) : false)(document.querySelector(`+quote(selector)+`))`)
	if err == nil && !ok {
		return fmt.Errorf("no field %s", selector)
	}
	if err != nil {
		return err
	}
	ctx, end := b.step()
	defer end()
	_, err = chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
	return err
}

func (b *browser) Press(selector string) error {
	if err := b.painted(); err != nil {
		return err
	}
	x, y, err := b.Where(selector)
	if err != nil {
		return err
	}
	return b.goes(chromedp.MouseClickXY(x, y))
}

// painted waits for a page to be seen: a browser drops clicks on what nobody has seen yet.
func (b *browser) painted() error {
	_, err := eval[any](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100, 0))))`)
	return err
}

func (b *browser) Where(selector string) (x, y float64, err error) {
	at, err := eval[[]float64](b, `(e => { if (!e) return []; e.scrollIntoView({block: "center", behavior: "instant"}); const r = e.getClientRects()[0]; return [r.left + r.width / 2, r.top + r.height / 2]; })(document.querySelector(`+quote(selector)+`))`)
	if err == nil && len(at) != 2 {
		err = fmt.Errorf("nothing at %s", selector)
	}
	if err != nil {
		return 0, 0, err
	}
	return at[0], at[1], nil
}

func (b *browser) ClickAt(x, y float64) error {
	if err := b.painted(); err != nil {
		return err
	}
	b.traffic.begin()
	ctx, end := b.step()
	defer end()
	if err := chromedp.Do(ctx, chromedp.MouseClickXY(x, y)); err != nil {
		return err
	}
	b.traffic.begin()
	return b.settle()
}

func (b *browser) Address() (string, error) {
	ctx, end := b.step()
	defer end()
	return chromedp.Run(ctx, chromedp.Location())
}

func (b *browser) Dialogs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.dialogs)
}

func quote(text string) string {
	literal, err := json.Marshal(text)
	if err != nil {
		return `""` // a string always has one
	}
	return string(literal)
}
