package ringwall_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The bill of materials of a release names what is compiled into it, each module with its version and hash, and nothing else.
func TestBillOfMaterialsIsWhatIsCompiledIn(t *testing.T) {
	folder := t.TempDir()
	binary := filepath.Join(folder, "ringwall")
	if out, err := command(t, ".", "go", "build", "-trimpath", "-o", binary, "./cmd/ringwall").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var bills [2][]byte
	for i := range bills {
		file := filepath.Join(folder, "bill.json")
		if out, err := command(t, ".", "scripts/sbom", binary, file).CombinedOutput(); err != nil {
			t.Fatalf("scripts/sbom: %v\n%s", err, out)
		}
		text, err := os.ReadFile(file) // #nosec G304 -- ours
		if err != nil {
			t.Fatal(err)
		}
		bills[i] = text
	}
	if !bytes.Equal(bills[0], bills[1]) {
		t.Error("one binary has two bills of materials")
	}
	built, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pkg:golang/std@" + built.GoVersion + " "} // the standard library has no hash of its own
	for _, module := range built.Deps {
		if module.Replace != nil {
			t.Errorf("%s is replaced", module.Path)
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(module.Sum, "h1:"))
		if err != nil || len(sum) != 32 {
			t.Fatalf("%s has the sum %q", module.Path, module.Sum)
		}
		want = append(want, "pkg:golang/"+module.Path+"@"+module.Version+" "+hex.EncodeToString(sum))
	}
	if len(want) < 10 {
		t.Fatalf("only %d modules are compiled in", len(want))
	}
	if findings := unlike(t, bills[0], want); len(findings) != 0 {
		t.Errorf("the bill of materials: %q", findings)
	}

	first := want[1]
	path, _, _ := strings.Cut(strings.TrimPrefix(first, "pkg:golang/"), "@")
	for name, other := range map[string][]string{
		"a module is missing in the bill": append(slices.Clone(want), "pkg:golang/example.org/missing@v1.0.0 00"),
		"the bill has one too many":       want[:len(want)-1],
		"another version":                 append([]string{want[0], strings.Replace(first, "@v", "@v9", 1)}, want[2:]...),
		"another hash":                    append([]string{want[0], first[:len(first)-1] + "x"}, want[2:]...),
	} {
		if len(unlike(t, bills[0], other)) == 0 {
			t.Errorf("%s, and nobody notices", name)
		}
	}
	without := bytes.ReplaceAll(bills[0], []byte(path), []byte("example.org/other"))
	if len(unlike(t, without, want)) < 2 {
		t.Errorf("%s is called otherwise, and nobody notices", path)
	}
}

// unlike lists what only one of a bill and the modules, each "purl hash", has.
func unlike(t *testing.T, bill []byte, want []string) (findings []string) {
	t.Helper()
	var read struct {
		BOMFormat  string
		Components []struct {
			PURL   string
			Hashes []struct{ Alg, Content string }
		}
	}
	if err := json.Unmarshal(bill, &read); err != nil || read.BOMFormat != "CycloneDX" {
		t.Fatalf("no CycloneDX: %v", err)
	}
	var have []string
	for _, c := range read.Components {
		purl, _, _ := strings.Cut(c.PURL, "?")
		hash := ""
		for _, h := range c.Hashes {
			if h.Alg == "SHA-256" {
				hash = h.Content
			}
		}
		have = append(have, purl+" "+hash)
	}
	for _, h := range have {
		if !slices.Contains(want, h) {
			findings = append(findings, "only in the bill: "+h)
		}
	}
	for _, w := range want {
		if !slices.Contains(have, w) {
			findings = append(findings, "not in the bill: "+w)
		}
	}
	return findings
}
