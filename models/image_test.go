package models_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"nightlight/models"
	"nightlight/models/modelstest"
	"nightlight/pipeline"
)

const pictureSide = 224

// lcg is the generator that testdata/parity.mjs has too.
type lcg uint32

func (g *lcg) next() byte {
	*g = *g*1664525 + 1013904223
	return byte(*g >> 24)
}

// picture makes one of the pictures of testdata/parity.mjs by the same formula.
func picture(t testing.TB, name string, side int) []byte {
	t.Helper()
	fine, coarse := lcg(1), lcg(2)
	blocks := make([]byte, 28*28*3)
	for i := range blocks {
		blocks[i] = coarse.next()
	}
	formulas := map[string]func(x, y int) [3]byte{
		"black":    func(x, y int) [3]byte { return [3]byte{} },
		"white":    func(x, y int) [3]byte { return [3]byte{255, 255, 255} },
		"gradient": func(x, y int) [3]byte { return [3]byte{byte(x), byte(y), byte((x + y) >> 1)} },
		"noise":    func(x, y int) [3]byte { return [3]byte{fine.next(), fine.next(), fine.next()} },
		"blocks":   func(x, y int) [3]byte { return [3]byte(blocks[((y>>3)%28*28+(x>>3)%28)*3:]) },
		"checks": func(x, y int) [3]byte {
			if (x>>4+y>>4)&1 == 1 {
				return [3]byte{200, 40, 90}
			}
			return [3]byte{20, 160, 240}
		},
		"rings": func(x, y int) [3]byte {
			v := ((x-112)*(x-112) + (y-112)*(y-112)) >> 5 & 255
			return [3]byte{byte(v), byte(255 - v), byte(v * 3)}
		},
		"warm": func(x, y int) [3]byte {
			return [3]byte{byte(224 - x>>3), byte(172 - y>>3), byte(150 - (x+y)>>4)}
		},
	}
	formula, ok := formulas[name]
	if !ok {
		t.Fatalf("no formula for picture %s", name)
	}
	rgb := make([]byte, 0, side*side*3)
	for y := range side {
		for x := range side {
			px := formula(x, y)
			rgb = append(rgb, px[:]...)
		}
	}
	return rgb
}

// tensors prepares one picture for each model of the judge.
func tensors(t testing.TB, judge *models.ImageJudge, name string) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for _, m := range judge.Models() {
		rgb := picture(t, name, m.Input().Size)
		tensor := make([]float32, len(rgb))
		if err := m.Input().Pack(tensor, rgb); err != nil {
			t.Fatal(err)
		}
		out[m.Ref().Name] = tensor
	}
	return out
}

func judge(t testing.TB) *models.ImageJudge {
	t.Helper()
	j := modelstest.Load(t).Image()
	if j == nil || len(j.Models()) != 3 {
		t.Fatal("the three picture models are not loaded")
	}
	return j
}

func TestTheConvertedModelsAgreeWithTheirOriginalRuntime(t *testing.T) {
	j := judge(t)
	for at, name := range map[int]string{0: "nsfwjs-mid", 2: "nsfwjs-inception"} {
		m := j.Models()[at]
		if m.Ref().Name != name {
			t.Fatalf("model %d is %s, want %s", at, m.Ref().Name, name)
		}
		t.Run(name, func(t *testing.T) { agrees(t, m) })
	}
}

func agrees(t *testing.T, m *models.ImageModel) {
	text, err := os.ReadFile("testdata/" + m.Ref().Name + "-parity.json")
	if err != nil {
		t.Fatal(err)
	}
	var stored struct {
		Pictures []struct {
			Picture       string
			SHA256        string
			Probabilities []float64
		}
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	if len(stored.Pictures) < 5 {
		t.Fatalf("%d pictures are stored, want at least 5", len(stored.Pictures))
	}
	var worst float64
	for _, want := range stored.Pictures {
		t.Run(want.Picture, func(t *testing.T) {
			rgb := picture(t, want.Picture, m.Input().Size)
			if sum := sha256.Sum256(rgb); hex.EncodeToString(sum[:]) != want.SHA256 {
				t.Fatal("the formula makes another picture here than in testdata/parity.mjs")
			}
			tensor := make([]float32, len(rgb))
			if err := m.Input().Pack(tensor, rgb); err != nil {
				t.Fatal(err)
			}
			got, err := m.Scores(t.Context(), tensor)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range want.Probabilities {
				diff := math.Abs(float64(got[i]) - p)
				worst = max(worst, diff)
				if !(diff <= 1e-4) {
					t.Errorf("class %d: got %v, want %v", i, got[i], p)
				}
			}
		})
	}
	t.Logf("largest difference %.2g", worst)
}

func TestAPictureGetsASignalOfEachModelForEachLabel(t *testing.T) {
	j := judge(t)
	signals, err := j.Classify(t.Context(), tensors(t, j, "gradient"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range signals {
		got = append(got, fmt.Sprintf("%s %s", s.Source, s.Label))
		if !(s.Score >= 0 && s.Score < 0.5) {
			t.Errorf("%s of %s is %v for a picture of nothing, want less than 0.5", s.Label, s.Source, s.Score)
		}
	}
	want := "[nsfwjs-mid@4.4.0 sexual.explicit nsfwjs-mid@4.4.0 sexual.suggestive open-nsfw@0.1.0 sexual.explicit nsfwjs-inception@4.4.0 sexual.explicit nsfwjs-inception@4.4.0 sexual.suggestive]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestExplicitIsTheSumOfPornAndHentaiAndNothingElse(t *testing.T) {
	j := judge(t)
	mid := j.Models()[0]
	tensor := tensors(t, j, "warm")["nsfwjs-mid"]
	p, err := mid.Scores(t.Context(), tensor)
	if err != nil {
		t.Fatal(err)
	}
	signals, err := mid.Classify(t.Context(), tensor)
	if err != nil {
		t.Fatal(err)
	}
	const hentai, porn, sexy = 1, 3, 4
	want := map[pipeline.Label]float64{
		pipeline.SexualExplicit:   float64(p[porn]) + float64(p[hentai]),
		pipeline.SexualSuggestive: float64(p[sexy]),
	}
	for _, s := range signals {
		if math.Abs(s.Score-want[s.Label]) > 1e-6 {
			t.Errorf("%s: got %v, want %v", s.Label, s.Score, want[s.Label])
		}
	}
	if len(signals) != len(want) {
		t.Errorf("got %d signals, want %d", len(signals), len(want))
	}
}

func TestOpenNSFWReadsBlueFirst(t *testing.T) {
	open := judge(t).Models()[1]
	tensor := make([]float32, pictureSide*pictureSide*3)
	red := make([]byte, len(tensor))
	for i := 0; i < len(red); i += 3 {
		red[i] = 255
	}
	if err := open.Input().Pack(tensor, red); err != nil {
		t.Fatal(err)
	}
	if got, want := [3]float32(tensor), [3]float32{0 - 104, 0 - 117, 255 - 123}; got != want {
		t.Errorf("a red pixel is packed as %v, want %v", got, want)
	}
}

func TestAPictureThatIsNotPreparedForEveryModelIsAnError(t *testing.T) {
	j := judge(t)
	all := tensors(t, j, "black")
	one := map[string][]float32{"nsfwjs-mid": all["nsfwjs-mid"]}
	if signals, err := j.Classify(t.Context(), one); !errors.Is(err, models.ErrNoTensor) || signals != nil {
		t.Errorf("got %v, %v, want no signals and ErrNoTensor", signals, err)
	}
	all["open-nsfw"] = all["open-nsfw"][:100]
	if signals, err := j.Classify(t.Context(), all); err == nil || signals != nil {
		t.Errorf("got %v, %v for a tensor that is cut off, want an error", signals, err)
	}
	nan := float32(math.NaN())
	for i := range all["nsfwjs-mid"] {
		all["nsfwjs-mid"][i] = nan
	}
	if signals, err := j.Classify(t.Context(), all); err == nil || signals != nil {
		t.Errorf("got %v, %v for a tensor without numbers, want an error", signals, err)
	}
}

func BenchmarkImageModel(b *testing.B) {
	j := judge(b)
	prepared := tensors(b, j, "noise")
	for _, m := range j.Models() {
		b.Run(m.Ref().Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Classify(context.Background(), prepared[m.Ref().Name]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPack(b *testing.B) {
	in := judge(b).Models()[1].Input()
	rgb := picture(b, "noise", pictureSide)
	tensor := make([]float32, len(rgb))
	b.SetBytes(int64(len(rgb)))
	for b.Loop() {
		if err := in.Pack(tensor, rgb); err != nil {
			b.Fatal(err)
		}
	}
}
