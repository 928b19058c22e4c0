package models_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"nightlight/models"
	"nightlight/models/modelstest"
	"nightlight/pipeline/speech"
	"nightlight/pipeline/speech/speechtest"
)

func ear(t testing.TB, set *models.Set) *speech.Ear {
	t.Helper()
	w := set.Whisper()
	if w == nil {
		t.Fatal("the networks that hear are not loaded: run make setup")
	}
	e, err := speech.NewEar(set.SpeechDetector(), w, speech.Bars{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// spoken has espeak-ng say an English sentence.
func spoken(t testing.TB, text string) []float32 {
	t.Helper()
	return spokenBy(t, "en-us", text)
}

func spokenBy(t testing.TB, voice, text string) []float32 {
	t.Helper()
	for _, tool := range []string{"espeak-ng", "ffmpeg"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s is not installed", tool)
		}
	}
	wav := filepath.Join(t.TempDir(), "said.wav")
	if out, err := exec.Command("espeak-ng", "-v", voice, "-s", "140", "-w", wav, text).CombinedOutput(); err != nil {
		t.Fatalf("espeak-ng: %v\n%s", err, out)
	}
	raw, err := exec.Command("ffmpeg", "-v", "error", "-i", wav, "-ac", "1", "-ar", strconv.Itoa(speech.Rate), "-f", "f32le", "pipe:1").Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	samples := make([]float32, len(raw)/4)
	for i := range samples {
		samples[i] = max(-1, min(1, math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))))
	}
	return samples
}

// madeSound is the sound of models/whisper/golden.py.
func madeSound() []float32 {
	x := make([]float32, 3*speech.Rate)
	for i := range x {
		t := float64(i) / speech.Rate
		s := func(f float64) float64 { return math.Sin(2 * math.Pi * f * t) }
		x[i] = float32(.25*s(150)*(1+.5*s(3)) + .15*s(450) + .1*s(1200)*s(2))
	}
	return x
}

func TestTheEncoderOfWhisperIsTheOriginals(t *testing.T) {
	var golden struct{ Mel, Hidden [][]float64 }
	content, err := os.ReadFile("testdata/whisper.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &golden); err != nil {
		t.Fatal(err)
	}
	const columns, width = 3000, 512
	mel := speech.LogMel(madeSound(), columns)
	for i, row := range golden.Mel {
		for j, want := range row {
			if got := mel[13*i*columns+37*j]; math.Abs(float64(got)-want) > 1e-3 {
				t.Fatalf("band %d, column %d: got %.5f, want %.5f", 13*i, 37*j, got, want)
			}
		}
	}
	set := modelstest.Load(t)
	session, err := set.Session("whisper-base-encoder", models.SessionOptions{AnyShape: true})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]models.Tensor, len(session.Outputs()))
	if err := session.Run(t.Context(), []models.Tensor{{Shape: []int64{1, 80, columns}, Float32: mel}}, out); err != nil {
		t.Fatal(err)
	}
	most := 0.0
	for i, row := range golden.Hidden {
		for j, want := range row {
			most = max(most, math.Abs(float64(out[0].Float32[97*i*width+61*j])-want))
		}
	}
	t.Logf("largest difference from the original runtime: %.5f", most)
	if most > 1e-2 {
		t.Errorf("differs by %.4f, want at most 0.01", most)
	}
}

func TestAnEnglishSentenceIsWrittenDown(t *testing.T) {
	e := ear(t, modelstest.Load(t))
	h, err := e.Listen(t.Context(), spoken(t, "This is a safety test for scam fraud."))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := speech.Join(h.Passages)
	if plain := strings.ToLower(strings.Trim(text, " .")); plain != "this is a safety test for scam fraud" || len(h.Unheard) > 0 {
		t.Errorf("heard %q, unheard %v", text, h.Unheard)
	}
}

func TestWhisperKeepsWhatATranscriberPromises(t *testing.T) {
	w := modelstest.Load(t).Whisper()
	if w == nil {
		t.Fatal("the networks that hear are not loaded: run make setup")
	}
	speechtest.Conform(t, w, spoken(t, "One, two, three."))
}

func TestWhereNobodySaysAWordNoneAreHeard(t *testing.T) {
	e := ear(t, modelstest.Load(t))
	n := 100
	if testing.Short() || raceDetector { // what is taken for a voice costs two seconds of processor time
		n = 25
	}
	words := 0
	for _, c := range speechtest.Wordlesses(n) {
		h, err := e.Listen(t.Context(), c.Samples)
		if err != nil {
			t.Fatal(err)
		}
		if len(h.Passages) > 0 {
			words++
			t.Logf("%s: made up %d passages", c.Name, len(h.Passages))
		}
	}
	t.Logf("words in %d of %d sounds without any", words, n)
	if words > n/20 {
		t.Errorf("words in %d of %d sounds without any, want at most one in twenty", words, n)
	}
}

// tunes are eight seconds of softly played notes, of a singing bird and of humming.
func tunes() map[string][]float32 {
	notes := []float64{183, 231, 274, 366, 274, 231, 206, 244, 308, 411, 308, 244}
	sin := func(f, t float64) float64 { return math.Sin(2 * math.Pi * f * t) }
	out := map[string][]float32{"humming": make([]float32, 8*speech.Rate)}
	for name, at := range map[string]func(t float64) float64{
		"two tones": func(t float64) float64 {
			f := notes[int(t/.4)%len(notes)]
			return .6*sin(f, t) + .4*sin(1.5*f, t)
		},
		"plucked": func(t float64) float64 {
			f, u := notes[int(t/.35)%len(notes)], math.Mod(t, .35)
			return math.Exp(-6*u) * (.45*sin(f, t) + .3*sin(2*f, t) + .15*sin(3*f, t) + .1*sin(4*f, t))
		},
		"a bird": func(t float64) float64 {
			u := math.Mod(t, .6)
			return sin(2200+3000*u, u) * max(0, math.Sin(math.Pi*u/.25))
		},
	} {
		for i := range 8 * speech.Rate {
			out[name] = append(out[name], float32(at(float64(i)/speech.Rate)))
		}
	}
	for _, w := range speechtest.Wordlesses(4) {
		for i := range out["humming"] {
			if w.Name == "humming 0" {
				out["humming"][i] = w.Samples[i%len(w.Samples)]
			}
		}
	}
	return out
}

func TestASoftTuneBeneathAClearSentenceIsNoReasonToHoldIt(t *testing.T) {
	e := ear(t, modelstest.Load(t))
	voice := spoken(t, "We are going to the garden after school today.")
	for name, x := range tunes() {
		for i := range x {
			x[i] *= .02
			if at := i - 3*speech.Rate/2; at >= 0 && at < len(voice) {
				x[i] = max(-1, min(1, x[i]+voice[at]))
			}
		}
		h, err := e.Listen(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := speech.Join(h.Passages); !strings.Contains(text, "garden after school today") || len(h.Unheard) > 0 {
			t.Errorf("%s: heard %q, unheard %v", name, text, h.Unheard)
		}
	}
}

func TestAWhisperAfterAClearSentenceIsHeard(t *testing.T) {
	e := ear(t, modelstest.Load(t))
	x := append(spoken(t, "We are going to the garden after school today."), make([]float32, speech.Rate)...)
	for _, v := range spokenBy(t, "en-us+whisper", "You are so stupid and ugly.") {
		x = append(x, v*.1)
	}
	h, err := e.Listen(t.Context(), append(x, make([]float32, speech.Rate)...))
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := speech.Join(h.Passages); !strings.Contains(text, "stupid") {
		t.Errorf("heard %q, unheard %v", text, h.Unheard)
	}
}

func TestAFileThatIsNotWhispersIsRefused(t *testing.T) {
	vocabulary, settings := []byte(`["a","<|endoftext|>"]`), []byte(`{}`)
	if _, err := speech.NewTokens(vocabulary, settings); err == nil {
		t.Error("a vocabulary without orders is taken")
	}
	if _, err := speech.NewTokens(bytes.Repeat([]byte{'['}, 100), settings); err == nil {
		t.Error("broken JSON is taken")
	}
}
