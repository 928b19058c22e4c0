package examine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/rules"
	"nightlight/pipeline/speech"
)

// recited is a transcriber that hears the same in every sound.
type recited struct {
	segments []speech.Segment
	err      error
}

func (r recited) Models() []pipeline.ModelRef {
	return []pipeline.ModelRef{{Name: "recited", Version: "1"}}
}

func (r recited) Transcribe(context.Context, []float32) ([]speech.Segment, error) {
	return r.segments, r.err
}

func says(text string) recited {
	return recited{segments: []speech.Segment{
		{Start: 0, End: .5, Text: "好的", Language: "zh", AvgLogProb: -.1, Known: 1},
		{Start: .5, End: 1.9, Text: text, Language: "en", AvgLogProb: -.1, Known: 1},
	}}
}

// listens is an examiner whose detector takes everything for a voice.
func listens(t *testing.T, r recited) *Examiner {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("ffmpeg is missing")
		}
		t.Skip("ffmpeg is not installed")
	}
	d := speech.Detector{Refs: []pipeline.ModelRef{{Name: "detector", Version: "1"}}, Run: func(_ context.Context, _, state []float32) (float32, []float32, error) { return .99, state, nil }}
	ear, err := speech.NewEar(d, r, speech.Bars{})
	if err != nil {
		t.Fatal(err)
	}
	e := examiner(t)
	e.Ear, e.Video, e.Rules = ear, media.NewVideo(media.VideoOptions{}), rules.New()
	e.Text = spoken{}
	return e
}

// spoken is a text model that finds nothing.
type spoken struct{}

func (spoken) Ref() pipeline.ModelRef { return pipeline.ModelRef{Name: "spoken", Version: "1"} }

func (spoken) ClassifyText(context.Context, pipeline.Text) ([]pipeline.Signal, error) {
	return nil, nil
}

// note is two seconds of a beep as a WAV file.
func note() []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data")
	const n = 2 * speech.Rate
	b = binary.LittleEndian.AppendUint32(b, 2*n)
	for i := range n {
		v := int16(6000)
		if i/20%2 == 0 {
			v = -6000
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func TestWhatIsSaidInAVoiceNoteIsJudgedWithItsTime(t *testing.T) {
	e := listens(t, says("This is a safety test for scam fraud."))
	s, err := e.Voice(t.Context(), note(), pipeline.Text{})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, sig := range s.Signals {
		if sig.Label == pipeline.ScamFraud && sig.Score > .9 {
			found = sig.In == "speech" && sig.At != nil && *sig.At == .5
		}
	}
	if !found || len(s.Faults) != 0 {
		t.Errorf("got %+v, faults %+v", s.Signals, s.Faults)
	}
	var kept []speech.Passage
	if err := json.Unmarshal(s.Transcript, &kept); err != nil || len(kept) != 2 || !strings.Contains(kept[1].Text, "safety") {
		t.Errorf("transcript: %s, %v", s.Transcript, err)
	}
}

func TestSpeechThatIsNotUnderstoodIsAFaultThatThePolicyKnows(t *testing.T) {
	s, err := listens(t, recited{}).Voice(t.Context(), note(), pipeline.Text{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Faults) != 1 || s.Faults[0].Reason != "not_heard" || !s.Faults[0].Unheard {
		t.Errorf("got %+v", s.Faults)
	}
}

func TestATrackOfSoundWithoutAnySoundIsAFault(t *testing.T) {
	s, err := listens(t, says("hello")).Voice(t.Context(), note()[:44], pipeline.Text{}) // the header alone
	if err != nil || len(s.Faults) != 1 || s.Faults[0].Reason != "no_sound" {
		t.Errorf("got %+v, %v", s.Faults, err)
	}
}

func TestATranscriberThatFailsIsTriedAgain(t *testing.T) {
	_, err := listens(t, recited{err: errors.New("no")}).Voice(t.Context(), note(), pipeline.Text{})
	if !errors.Is(err, ErrAgain) {
		t.Errorf("got %v, want ErrAgain", err)
	}
}

func TestWithoutWhatHearsAVoiceNoteIsAFault(t *testing.T) {
	e := listens(t, recited{})
	e.Ear = nil
	s, err := e.Voice(t.Context(), note(), pipeline.Text{})
	if err != nil || len(s.Faults) == 0 || s.Faults[0].Reason != "missing_model" {
		t.Errorf("got %+v, %v", s.Faults, err)
	}
	e.Video = nil
	if s, err = e.Voice(t.Context(), note(), pipeline.Text{}); err != nil || len(s.Faults) < 2 {
		t.Errorf("without ffmpeg: got %+v, %v", s.Faults, err)
	}
}

func TestASoundThatIsNoneIsAFault(t *testing.T) {
	for name, data := range map[string][]byte{"nothing": nil, "a text": []byte("hello"), "half a header": note()[:20]} {
		s, err := listens(t, recited{}).Voice(t.Context(), data, pipeline.Text{})
		if err != nil || len(s.Faults) == 0 {
			t.Errorf("%s: got %+v, %v", name, s.Faults, err)
		}
	}
}
