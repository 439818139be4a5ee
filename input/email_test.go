package input_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
)

func TestEmailIsRead(t *testing.T) {
	for _, tt := range []struct{ name, text, want, key string }{
		{"domain in lower case, local part as typed", "John.Doe+x@Example.ORG", "John.Doe+x@example.org", "john.doe+x@example.org"},
		{"international domain in ASCII", "a@BÜCHER.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"international domain in ASCII already", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"eszett is no ss", "a@straße.example", "a@xn--strae-oqa.example", "a@xn--strae-oqa.example"},
		{"full-width letters are letters", "ｊｏｈｎ＠ｅｘａｍｐｌｅ．ｏｒｇ", "john@example.org", "john@example.org"},
		{"hyphens in odd places", "a@ab--cd.example", "a@ab--cd.example", "a@ab--cd.example"},
		{"63 characters before the @", strings.Repeat("a", 63) + "@b.example", strings.Repeat("a", 63) + "@b.example", strings.Repeat("a", 63) + "@b.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := input.ParseEmail(tt.text)
			if err != nil || got.String() != tt.want || got.Key() != tt.key {
				t.Errorf("ParseEmail(%q) = %q, key %q, %v, want %q, key %q", tt.text, got, got.Key(), err, tt.want, tt.key)
			}
		})
	}
}

// CVE-2026-47203: a lock was dodged by writing the name in other case.
func TestSpellingsOfOneAddressHaveOneKey(t *testing.T) {
	for _, same := range []string{"john@example.org", "JOHN@example.org", "jOhn@EXAMPLE.org", "Ｊohn@example.org", "john＠example.org", "joh\u212Bn@x.example", "john@example。org"} {
		got, err := input.ParseEmail(same)
		if err == nil && got.Key() != "john@example.org" {
			t.Errorf("ParseEmail(%q).Key() = %q, want john@example.org or a refusal", same, got.Key())
		}
	}
	for _, other := range []string{"jo.hn@example.org", "john+a@example.org", "john@mail.example.org"} {
		if got, err := input.ParseEmail(other); err != nil || got.Key() == "john@example.org" {
			t.Errorf("ParseEmail(%q) = %q, %v: another person's, or refused", other, got.Key(), err)
		}
	}
}

func TestEmailIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no @": "john", "two @": "a@b@c.example", "no local part": "@b.example", "no domain": "a@", "space around": " a@b.example", "space after": "a@b.example ",
		"space inside": "a b@c.example", "no-break space": "a\u00a0b@c.example", "zero width space": "a\u200bb@c.example", "tab": "a\t@b.example",
		"NUL": "a\x00@b.example", "line break, another header": "a@b.example\r\nBcc: c@d.example", "line break in the local part": "a\n@b.example",
		"double quotes": `"a b"@c.example`, "single quote": "o'hara@c.example", "backtick": "`id`@c.example", "backslash": `a\@b.example`, "angle brackets": "<a@b.example>", "name and address": "A <a@b.example>",
		"comment": "a(x)@b.example", "list": "a@b.example,c@d.example", "semicolon": "a;c@d.example", "dot first": ".a@b.example", "dot last": "a.@b.example", "two dots": "a..b@c.example",
		"letters beyond ASCII before the @": "jöhn@c.example", "dotless i": "m\u0131ke@c.example", "dotted capital i, an i in lower case": "\u0130an@c.example", "Cyrillic a": "\u0430@b.example",
		"domain without a dot": "a@localhost", "dot at the end of the domain": "a@b.example.", "dot at its start": "a@.example", "two dots in the domain": "a@b..example",
		"IP address": "a@127.0.0.1", "address literal": "a@[127.0.0.1]", "IPv6 literal": "a@[IPv6:::1]", "number at the end": "a@b.1", "underscore": "a@b_c.example", "port": "a@b.example:25",
		"hyphen first": "a@-b.example", "hyphen last": "a@b-.example", "broken punycode": "a@xn--\u00fc.example", "punycode of nothing": "a@xn--.example",
		"64 before the @": strings.Repeat("a", 64) + "@b.example", "255 in all": "a@" + strings.Repeat("b234567890.", 24)[:245] + ".example", "label of 64": "a@" + strings.Repeat("b", 64) + ".example",
		"megabyte": strings.Repeat("a", 1<<20), "slash in the domain by compatibility": "a@b\u2100.example", "not UTF-8": "a\xff@b.example",
	} {
		if got, err := input.ParseEmail(text); err == nil {
			t.Errorf("%s: ParseEmail(%.40q) = %q, want a refusal", name, text, got)
		}
	}
}

func TestEmailTravelsAsText(t *testing.T) {
	e, err := input.ParseEmail("John@Example.org")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(e)
	if err != nil || string(body) != `"John@example.org"` || e.IsZero() || !(input.Email{}).IsZero() {
		t.Errorf("Marshal = %s, %v", body, err)
	}
}

// FuzzEmail: what is accepted can stand in a mail header and is accepted again, unchanged.
func FuzzEmail(f *testing.F) {
	for _, seed := range []string{"John.Doe+x@Example.ORG", "a@BÜCHER.example", "ｊ＠ｅ．ｏｒｇ", "\u0130@b.example", "a\r\nb@c.example", "a@xn--a.example", "a@b\u3002c", "\u2100@c.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once, err := input.ParseEmail(text)
		if err != nil {
			return
		}
		for _, c := range []byte(once.String()) {
			if c <= ' ' || c >= 0x7f || strings.IndexByte("\"'`<>()[],:;\\", c) >= 0 {
				t.Fatalf("ParseEmail(%q) = %q, with %q in it", text, once, c)
			}
		}
		if len(once.String()) > 254 || strings.Count(once.String(), "@") != 1 {
			t.Errorf("ParseEmail(%q) = %q", text, once)
		}
		if twice, err := input.ParseEmail(once.String()); err != nil || twice != once {
			t.Errorf("ParseEmail(%q) = %q, then %q, %v", text, once, twice, err)
		}
		if key, err := input.ParseEmail(once.Key()); err != nil || key.Key() != once.Key() {
			t.Errorf("ParseEmail(%q).Key() = %q, then %q, %v", text, once.Key(), key.Key(), err)
		}
	})
}

func TestDisplayName(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"may be empty", "", ""},
		{"loses the spaces around it", "  Ann  ", "Ann"},
		{"becomes NFC", "Jose\u0301", "José"},
		{"keeps quotes and semicolons, which harm nobody who escapes", `O'Hara; "Bob" -- DROP`, `O'Hara; "Bob" -- DROP`},
		{"keeps Persian with its joiner", "علی\u200cرضا", "علی\u200cرضا"},
		{"keeps joined emoji", "👩\u200d🚀 Ann", "👩\u200d🚀 Ann"},
		{"has 100 code points", strings.Repeat("李", 100), strings.Repeat("李", 100)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := input.ParseDisplayName(tt.text); err != nil || string(got) != tt.want {
				t.Errorf("ParseDisplayName(%q) = %q, %v, want %q", tt.text, got, err, tt.want)
			}
		})
	}
	for name, text := range map[string]string{
		"script": "<script>alert(1)</script>", "full-width brackets": "\uff1cscript\uff1e", "small brackets": "\ufe64b", "101 code points": strings.Repeat("a", 101),
		"line break": "Ann\nBcc: x", "line separator": "a\u2028b", "NUL": "a\x00b", "escape": "a\x1b[31m", "right to left override": "\u202egnp.exe", "isolate": "a\u2066b", "left to right mark": "a\u200eb",
		"zero width space": "a\u200bb", "byte order mark": "a\ufeffb", "soft hyphen": "a\u00adb", "private use": "a\ue000b", "not assigned": "a\U000e0fffb", "not a character": "a\uffffb",
		"nothing to see": "\u200d", "Hangul filler": "\u3164", "braille blank": "\u2800", "not UTF-8": "a\xff", "web address": "http://evil.test click", "tag characters": "a\U000e0041",
		"megabyte": strings.Repeat("\u0301", 1<<19),
	} {
		if got, err := input.ParseDisplayName(text); err == nil {
			t.Errorf("%s: ParseDisplayName(%.40q) = %q, want a refusal", name, text, got)
		}
	}
}

// FuzzDisplayName: what is accepted is accepted again unchanged, and holds no bracket and no line.
func FuzzDisplayName(f *testing.F) {
	for _, seed := range []string{"Ann", "Jose\u0301", "\u202e", "<b>", "a\u0344", "\u00a0a\u3000", "👩\u200d🚀"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once, err := input.ParseDisplayName(text)
		if err != nil {
			return
		}
		if twice, err := input.ParseDisplayName(string(once)); err != nil || twice != once || strings.ContainsAny(string(once), "<>\r\n\x00") {
			t.Errorf("ParseDisplayName(%q) = %q, then %q, %v", text, once, twice, err)
		}
	})
}
