package webtest_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/ringwall/ringwall/ringwalltest"
)

// larger shows the page at a width with its text twice as large, as people set it who see little (WCAG 2.2, 1.4.4).
func (b *browser) larger(width int64) {
	b.t.Helper()
	must(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 640, DeviceScaleFactor: 1})
	eval[any](b, `(document.documentElement.style.fontSize = "200%", 0)`)
}

// With text twice as large nothing leaves the window sideways, and no field cuts off what stands in it.
func TestTextTwiceAsLargeHasRoom(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	b := open(t, s.URL, as{})
	check := func(width int64) {
		t.Helper()
		b.larger(width)
		for _, fault := range b.fits() {
			if !strings.HasPrefix(fault, "cut off: input") { // an address that is longer than its field is moved by the cursor
				t.Errorf("%s at %d px: %s", b.url(), width, fault)
			}
		}
		if cut := eval[[]string](b, `[...document.querySelectorAll("input:not([type=hidden], [type=checkbox]), select")].filter(e => e.checkVisibility() &&
			e.clientHeight < 1.25 * parseFloat(getComputedStyle(e).fontSize) + 2 * parseFloat(getComputedStyle(e).paddingTop)).map(e => e.id)`); len(cut) > 0 {
			t.Errorf("%s at %d px: too low for their text: %v", b.url(), width, cut)
		}
	}
	b.visit("/auth/signup")
	b.fill("Your name", "<Ann>")
	b.fill("Email address", "ann at example")
	b.press("Create account")
	b.sees("There is a problem", "name@example.com")
	check(320)
	b.signIn(ann, ringwalltest.Password)
	check(320)
	b.visit("/auth/account/email")
	check(640)
	b.visit("/auth/docs")
	check(320)
}

// A name that is written from right to left does not turn the address beside it round.
func TestNamesFromRightToLeftLeaveTheAddressAlone(t *testing.T) {
	t.Parallel()
	const address = "1x@example.org"
	s := start(t)
	s.SignUp(address)
	b := open(t, s.URL, as{})
	b.signIn(address, ringwalltest.Password)
	b.fill("Your name", "דוד כהן 2")
	b.press("Save profile")
	b.sees("Your name and language are saved.")
	places := eval[[]float64](b, `(() => {
		const at = (node, i) => { const r = document.createRange(); r.setStart(node, i); r.setEnd(node, i + 1); return r.getBoundingClientRect().left; };
		const text = document.querySelector(".lead .address").firstChild;
		return [document.querySelector(".lead b").getBoundingClientRect().right, ...[...text.data].map((_, i) => at(text, i))];
	})()`)
	for i := 1; i < len(places); i++ {
		if places[i] < places[i-1] {
			t.Fatalf("the name and the letters of its address do not stand in their order: %v", places)
		}
	}
	if typed := eval[string](b, `getComputedStyle(document.getElementById("display_name")).direction`); typed != "rtl" {
		t.Errorf("the name is typed %s, want rtl", typed)
	}
}
