package catalog_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nightlight/models/catalog"
	"nightlight/pipeline"
)

func shipped(t testing.TB) *catalog.Manifest {
	t.Helper()
	text, err := os.ReadFile("../manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := catalog.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheShippedManifestHoldsTogether(t *testing.T) {
	m := shipped(t)
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		if _, ok := m.Library(platform); !ok {
			t.Errorf("no library for %s", platform)
		}
	}
	if _, ok := m.Library("plan9/mips"); ok {
		t.Error("there is a library for plan9/mips")
	}
	for _, model := range m.Models {
		for label := range model.Labels {
			if !pipeline.Label(label).Known() {
				t.Errorf("%s claims label %q, which is not in the taxonomy", model.Name, label)
			}
		}
		for label := range model.Calibration {
			if _, ok := model.Labels[label]; !ok {
				t.Errorf("%s calibrates %s, which it does not claim", model.Name, label)
			}
		}
		if model.Origin == catalog.Committed {
			if _, err := catalog.Read("../weights", model.Main()); errors.Is(err, catalog.ErrMissing) && !model.Required {
				continue // it may come later; what is there must hold together
			}
			for _, f := range append([]catalog.File{model.Main()}, model.Also...) {
				if _, err := catalog.Read("../weights", f); err != nil {
					t.Errorf("%s: %v; run go run ./models/setup/pin after a training", model.Name, err)
				}
			}
		}
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(model.Card))); model.Card == "" || err != nil {
			t.Errorf("%s has no card: %v", model.Name, err)
		}
	}
}

const sum = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

const valid = `version: 1
sources:
  - {name: s, client: pip, package: p, version: "1", archive: p.whl, sha256: ` + sum + `, licence: MIT, members: [{path: a, file: a, sha256: ` + sum + `}]}
models:
  - {name: m, version: "1", kind: image, origin: downloaded, source: s, file: a, sha256: ` + sum + `, bytes: 3, licence: MIT,
     output: {classes: [x, y]}, labels: {l: [x]}, calibration: {l: {points: [[0, 0], [1, 1]]}}}
`

func TestAManifestWithAMistakeIsRefused(t *testing.T) {
	if _, err := catalog.Parse([]byte(valid)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"another version":            {"version: 1", "version: 2"},
		"a field nobody knows":       {"licence: MIT,", "license: MIT,"},
		"a second document":          {"version: 1", "--- {}\n---\nversion: 1"},
		"a file above the folder":    {"file: a, sha256: " + sum + ", bytes", "file: ../a, sha256: " + sum + ", bytes"},
		"a file by absolute path":    {"file: a, sha256: " + sum + ", bytes", "file: /a, sha256: " + sum + ", bytes"},
		"a member above the folder":  {"{path: a, file: a,", "{path: a, file: b/../../a,"},
		"an archive with a folder":   {"archive: p.whl", "archive: ../p.whl"},
		"a pin that is cut":          {"sha256: " + sum + ", bytes", "sha256: aaaa, bytes"},
		"a model without a size":     {"bytes: 3", "bytes: 0"},
		"a source nobody lists":      {"source: s,", "source: other,"},
		"an origin nobody knows":     {"origin: downloaded", "origin: found"},
		"a client nobody knows":      {"client: pip", "client: curl"},
		"a package that is a flag":   {"package: p,", "package: --index,"},
		"a label of no class":        {"labels: {l: [x]}", "labels: {l: [z]}"},
		"a calibration that falls":   {"[1, 1]", "[1, -1]"},
		"a calibration over one":     {"[1, 1]", "[1, 2]"},
		"a calibration out of order": {"[1, 1]", "[0, 1]"},
	} {
		if !strings.Contains(valid, change[0]) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := catalog.Parse([]byte(strings.Replace(valid, change[0], change[1], 1))); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestOnlyThePinnedBytesAreRead(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "right"), "weights")
	write(filepath.Join(dir, "other"), "WEIGHTS")
	write(filepath.Join(dir, "short"), "weight")
	write(filepath.Join(outside, "right"), "weights")
	for link, target := range map[string]string{"inside": "right", "escape": filepath.Join(outside, "right"), "folder": outside} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	pin := catalog.Digest([]byte("weights"))
	for name, tc := range map[string]struct {
		file string
		want error // nil: any error will do if bad
		bad  bool
	}{
		"the pinned file":                    {"right", nil, false},
		"a link that stays inside":           {"inside", nil, false},
		"other bytes of the same length":     {"other", catalog.ErrMismatch, true},
		"another length":                     {"short", catalog.ErrMismatch, true},
		"a file that is not there":           {"absent", catalog.ErrMissing, true},
		"the folder itself":                  {".", nil, true},
		"a link that leads out":              {"escape", nil, true},
		"a folder that is a link out":        {"folder/right", nil, true},
		"a path with dots":                   {"../" + filepath.Base(outside) + "/right", nil, true},
		"a path with dots that stays inside": {"x/../right", nil, true},
		"an absolute path":                   {filepath.Join(outside, "right"), nil, true},
	} {
		got, err := catalog.Read(dir, catalog.File{File: tc.file, SHA256: pin, Bytes: 7})
		switch {
		case !tc.bad && (err != nil || string(got) != "weights"):
			t.Errorf("%s: got %q, %v", name, got, err)
		case tc.bad && (err == nil || got != nil):
			t.Errorf("%s: got %q, %v, want an error", name, got, err)
		case tc.want != nil && !errors.Is(err, tc.want):
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	if _, err := catalog.Read(filepath.Join(dir, "no-folder"), catalog.File{File: "right", SHA256: pin, Bytes: 7}); !errors.Is(err, catalog.ErrMissing) {
		t.Errorf("without the folder: got %v, want ErrMissing", err)
	}
}

func TestACalibrationIsALineThroughItsPoints(t *testing.T) {
	c := catalog.Calibration{Points: [][2]float64{{0.2, 0}, {0.6, 0.5}, {1, 0.9}}}
	for raw, want := range map[float64]float64{0: 0, 0.2: 0, 0.4: 0.25, 0.6: 0.5, 0.8: 0.7, 1: 0.9, 2: 0.9} {
		if got := c.Apply(raw); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v: got %v, want %v", raw, got, want)
		}
	}
	if got := (catalog.Calibration{}).Apply(0.37); got != 0.37 {
		t.Errorf("without points got %v, want the score itself", got)
	}
	if got := c.Apply(math.NaN()); !math.IsNaN(got) {
		t.Errorf("what is no number became %v", got)
	}
}

func TestPackingChecksSizesAndOrder(t *testing.T) {
	rgb := []byte{255, 0, 10}
	for name, tc := range map[string]struct {
		in   catalog.Input
		dst  int
		want [3]float32
		bad  bool
	}{
		"red first":             {catalog.Input{Size: 1, Channels: "RGB", Scale: 2}, 3, [3]float32{510, 0, 20}, false},
		"blue first, less mean": {catalog.Input{Size: 1, Channels: "BGR", Scale: 1, Mean: [3]float32{1, 2, 3}}, 3, [3]float32{9, -2, 252}, false},
		"another size":          {catalog.Input{Size: 2, Channels: "RGB", Scale: 1}, 3, [3]float32{}, true},
		"too little room":       {catalog.Input{Size: 1, Channels: "RGB", Scale: 1}, 2, [3]float32{}, true},
		"an order nobody knows": {catalog.Input{Size: 1, Channels: "GBR", Scale: 1}, 3, [3]float32{}, true},
	} {
		dst := make([]float32, tc.dst)
		err := tc.in.Pack(dst, rgb)
		if tc.bad != (err != nil) {
			t.Errorf("%s: got error %v", name, err)
		}
		if !tc.bad && [3]float32(dst) != tc.want {
			t.Errorf("%s: got %v, want %v", name, dst, tc.want)
		}
	}
}
