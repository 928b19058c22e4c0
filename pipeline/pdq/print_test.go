package pdq_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"nightlight/pipeline/pdq"
)

// The golden file holds what the reference in C++ says of the pictures, as
// PyPI's pdqhash 0.2.8 wraps it. To make it again:
//
//	go test ./pipeline/pdq -run Reference -pictures DIR
//	python3 pipeline/pdq/testdata/golden.py DIR > pipeline/pdq/testdata/golden.json
var dump = flag.String("pictures", "", "write the pictures of the golden file into this folder and stop")

type answer struct {
	Name    string     `json:"name"`
	Quality int        `json:"quality"`
	Hashes  []pdq.Hash `json:"hashes"` // as it is, then in the order of pdq.Turns
}

func TestHashesEqualTheReferenceBitForBit(t *testing.T) {
	if *dump != "" {
		write(t, *dump)
		return
	}
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden []answer
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden) != len(pictures) {
		t.Fatalf("got %d answers for %d pictures", len(golden), len(pictures))
	}
	for i, m := range pictures {
		t.Run(m.Name, func(t *testing.T) {
			got, want := pdq.Of(m.pixels(), m.W, m.H, 3*m.W, 3), golden[i]
			if want.Name != m.Name || got.Quality != want.Quality {
				t.Errorf("got quality %d, want %d of %q", got.Quality, want.Quality, want.Name)
			}
			for k, h := range got.Hashes() {
				if h != want.Hashes[k] {
					t.Errorf("turn %d: got %s, want %s, %d bits away", k, h, want.Hashes[k], h.Distance(want.Hashes[k]))
				}
			}
		})
	}
}

// write leaves the pictures as binary PPM.
func write(t *testing.T, dir string) {
	for i, m := range pictures {
		head := fmt.Sprintf("P6\n# %s\n%d %d\n255\n", m.Name, m.W, m.H)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.ppm", i)), append([]byte(head), m.pixels()...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// published are the hashes that the reference publishes for its own pictures
// (ThreatExchange, pdq/data/reg-test-input/dih). The pictures are photos of
// others and are not kept here; the crate pdqhash 0.1.1 carries them as JPEG.
// Go's JPEG decoder differs from libjpeg in the last bit of some pixels, which
// moves up to 2 bits of these hashes, so the test wants them decoded by
// libjpeg: golden.py --decode FROM TO.
var published = map[string]string{
	"bridge-1-original.ppm":     "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22",
	"bridge-2-rotate-90.ppm":    "30a10efd71cc3d429013d48d0ffffc52e34e0e17ada952a9d29685211ea9e5af",
	"bridge-3-rotate-180.ppm":   "adad5a64b5a142e75b62a09857da895ae63b847fc23794b766b319361bc93188",
	"bridge-4-rotate-270.ppm":   "a5f0a457a48995e8c9065c275aaa5498b61ba4bdf8fcf80387c32f8b1bfc4f05",
	"bridge-5-flipx.ppm":        "f8f80f31e0f417b20e37f5cd028f980fb36ed02a9662c1e233e64c634e9c64dd",
	"bridge-6-flipy.ppm":        "0dad2599b1a1bd1a5362576742da32a5e63b7380c2374b4866b366c91bc9ce77",
	"bridge-7-flip-plus-1.ppm":  "f0a5e102f1ccc0bd945308720fff038de34ef1e8ada9a956d2967ade5ea91a50",
	"bridge-8-flip-minus-1.ppm": "a5f05aa8a4896a17c906a2d85aaaab07b61b5b42f8fc07fc87c3d0741bfcb0fa",
}

func TestThePublishedPicturesHaveThePublishedHashes(t *testing.T) {
	dir := os.Getenv("NIGHTLIGHT_TEST_PDQ_PICTURES")
	if dir == "" {
		t.Skip("NIGHTLIGHT_TEST_PDQ_PICTURES names no folder with the reference's pictures")
	}
	for name, want := range published {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var w, h int
		if _, err := fmt.Sscanf(string(b[:min(len(b), 40)]), "P6\n%d %d\n255\n", &w, &h); err != nil || len(b) < 3*w*h {
			t.Fatalf("%s: no binary PPM as Pillow writes it: %v", name, err)
		}
		if got := pdq.Of(b[len(b)-3*w*h:], w, h, 3*w, 3); got.Hash.String() != want || got.Quality != 100 {
			t.Errorf("%s: got %s of quality %d, want %s", name, got.Hash, got.Quality, want)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	m := made{W: 1280, H: 960, Seed: 1, Shapes: 30}
	pix := m.pixels()
	for b.Loop() {
		pdq.Of(pix, m.W, m.H, 3*m.W, 3)
	}
}
