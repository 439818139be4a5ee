package webtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
)

// look is one way to look at a page.
type look struct {
	name          string
	width, height int64
	scheme        string
}

var looks = []look{
	{"wide-light", 1280, 800, "light"}, {"wide-dark", 1280, 800, "dark"}, {"narrow-light", 320, 640, "light"}, {"narrow-dark", 320, 640, "dark"},
}

// TestScreens goes to every page in every state that it has, and holds it against what every page must be: axe-core finds
// nothing, nothing is wider than the window, everything to press is large enough, in both schemes, wide and at 320 px.
// Where RINGWALL_SCREENS names a folder, it leaves a picture of each there.
func TestScreens(t *testing.T) {
	t.Parallel()
	axe := readAxe(t)
	folder := os.Getenv("RINGWALL_SCREENS")
	if folder != "" {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range states() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := s.reach(t)
			b.steady()
			for _, l := range looks {
				b.lookAt(l)
				for _, fault := range append(b.fits(), b.axe(axe)...) {
					t.Errorf("%s: %s", l.name, fault)
				}
				if folder != "" {
					if err := os.WriteFile(filepath.Join(folder, s.name+"-"+l.name+".png"), b.picture(l), 0o644); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

func readAxe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(os.Getenv("RINGWALL_TEST_AXE"))
	if err != nil {
		t.Fatalf("RINGWALL_TEST_AXE does not name axe.min.js: run the tests with `make test`, which fetches it (%v)", err)
	}
	return string(source)
}

func (b *browser) lookAt(l look) {
	b.t.Helper()
	must(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: l.height, DeviceScaleFactor: 1})
	must(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	eval[bool](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
	if dark := eval[bool](b, `matchMedia("(prefers-color-scheme: dark)").matches && innerWidth === `+fmt.Sprint(l.width)); dark != (l.scheme == "dark") {
		b.t.Fatalf("the browser does not look as %s", l.name)
	}
}

// fits lists what is wider than the window, text that is cut off, and what is too small to press.
// Links inside a sentence are as high as their line (WCAG 2.2, 2.5.8).
func (b *browser) fits() []string {
	b.t.Helper()
	return eval[[]string](b, `(() => {
		const faults = [], width = document.documentElement.clientWidth;
		const name = e => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.className ? "." + e.className : "") + " " + e.textContent.trim().slice(0, 40);
		if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways: " + document.documentElement.scrollWidth + " > " + width);
		for (const e of document.body.querySelectorAll("*")) {
			if (!e.checkVisibility() || e.closest(".unseen, .skip, svg")) continue;
			const r = e.getBoundingClientRect();
			if (r.width && (r.right > width + 0.5 || r.left < -0.5)) faults.push("outside of the window: " + name(e));
			if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible") faults.push("cut off: " + name(e));
		}
		for (const e of document.querySelectorAll("a, button, input, summary, select, textarea")) {
			if (!e.checkVisibility() || e.type === "hidden" || e.closest(".skip")) continue;
			const inSentence = e.tagName === "A" && getComputedStyle(e).display === "inline";
			if (inSentence) continue;
			const target = e.type === "checkbox" ? e.labels[0] : e, r = target.getBoundingClientRect();
			if (r.height < 43.5 || r.width < 43.5) faults.push("too small to hit, " + r.width.toFixed() + " by " + r.height.toFixed() + ": " + name(e));
		}
		return faults;
	})()`)
}

// finding is what axe-core found.
type finding struct {
	Kind  string
	ID    string
	Help  string
	Nodes []struct {
		Target  []any
		Summary string
	}
}

// axe lists what axe-core finds, and what it is not sure of. It comes through the debugger, which no policy stops.
func (b *browser) axe(source string) (faults []string) {
	b.t.Helper()
	if !eval[bool](b, `"axe" in window`) {
		eval[any](b, source+";0")
	}
	raw := eval[string](b, `axe.run(document, {
		resultTypes: ["violations", "incomplete"],
		runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice", "section508", "EN-301-549", "RGAAv4"]},
		rules: {"target-size": {enabled: true}},
	}).then(r => JSON.stringify([["violation", r.violations], ["unsure", r.incomplete]].flatMap(([kind, list]) => list.map(v => ({
		Kind: kind, ID: v.id, Help: v.help, Nodes: v.nodes.map(n => ({Target: n.target, Summary: n.failureSummary || n.any.map(c => c.message).join("; ")}))
	})))))`)
	var found []finding
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		b.t.Fatal(err)
	}
	for _, f := range found {
		for _, n := range f.Nodes {
			faults = append(faults, fmt.Sprintf("axe %s %s: %s\n%v %s", f.Kind, f.ID, f.Help, n.Target, n.Summary))
		}
	}
	return faults
}

// steady replaces what differs from run to run and would make every picture new: ports, tokens, codes, request ids.
func (b *browser) steady() {
	b.t.Helper()
	eval[any](b, `(() => {
		for (let timer = setTimeout(() => 0); timer > 0; timer--) clearTimeout(timer); // seconds that count down
		document.activeElement && document.activeElement.matches("input") && document.activeElement.blur();
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let n; n = walk.nextNode();) {
			const text = n.data
				.replace(/https:\/\/127\.0\.0\.1:\d+/g, "http://127.0.0.1:8080")
				.replace(/token=[\w.~-]+/g, "token=Zx8Yk3bQv1LmT0uWnR5cJh7dEaGp2sFi9oKy4BtVgXw")
				.replace(/\b[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}\b(?=\s*$)/gm, m => m === "ABCD-EFGH" ? m : "7KQM-R4TX")
				.replace(/\(\d+ s\)/, "(30 s)");
			if (text !== n.data) n.data = text;
		}
		for (const code of document.querySelectorAll("input[autocomplete=one-time-code]")) if (code.value && code.value !== "ABCD-EFGH") code.value = "7KQM-R4TX";
		const id = document.querySelector(".narrow main > .small > code");
		if (id) id.textContent = id.textContent.replace(/^[0-9a-f]{8}-.*|^[0-9A-Z]{20,}$/, "01986e7a-3c5d-7b42-9f10-6a2e8d4c1b35");
	})(), 0`)
}

// picture is the whole page as a small PNG. It fails the test if there is nothing on it.
func (b *browser) picture(l look) []byte {
	b.t.Helper()
	height := min(eval[float64](b, `document.documentElement.scrollHeight`), 4000)
	beyond := true
	shot := must(b, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &beyond,
		Clip: &page.Viewport{Width: float64(l.width), Height: height, Scale: 1},
	})
	decoded, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		b.t.Fatalf("%s: the picture is none: %v", l.name, err)
	}
	reduced, colours := reduce(decoded)
	if size := decoded.Bounds().Size(); size.X != int(l.width) || colours < 8 {
		b.t.Errorf("%s: the picture is %v with %d colours, want one of %d px with a page on it", l.name, size, colours, l.width)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduced); err != nil {
		b.t.Fatal(err)
	}
	return out.Bytes()
}

// reduce gives a picture a palette of its 256 most frequent colours, which makes it a third as large: our pages are flat,
// and what is left over are shades at the edges of letters. It also returns how many colours there were.
func reduce(from image.Image) (*image.Paletted, int) {
	count := map[color.RGBA]int{}
	r := from.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(from.At(x, y)).(color.RGBA) }
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	all := make([]color.RGBA, 0, len(count))
	for c := range count {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	palette := color.Palette{}
	for _, c := range all[:min(256, len(all))] {
		palette = append(palette, c)
	}
	index := make(map[color.RGBA]uint8, len(all))
	for _, c := range all {
		index[c] = uint8(palette.Index(c))
	}
	out := image.NewPaletted(r, palette)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			out.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	return out, len(all)
}
