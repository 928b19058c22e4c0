package media

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// edited lets the first edit list of an MP4 say that only so many milliseconds of
// its track are played.
func edited(t *testing.T, b []byte, ms uint32) []byte {
	t.Helper()
	at := bytes.Index(b, []byte("elst"))
	if at < 0 {
		t.Fatal("no edit list")
	}
	b = bytes.Clone(b)
	binary.BigEndian.PutUint32(b[at+12:], ms) // behind version, flags and count
	return b
}

func TestAnEditListHidesNoSoundAndNoPicture(t *testing.T) {
	note := film(t, "note.m4a", "-f", "lavfi", "-i", "sine=duration=5", "-c:a", "aac")
	png := filepath.Join(t.TempDir(), "card.png")
	if err := os.WriteFile(png, pngBytes(t, card(t, "sexual.explicit")), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := film(t, "shown.mp4", "-f", "lavfi", "-i", "color=c=gray:size=512x552:rate=10:duration=5", "-loop", "1", "-i", png,
		"-filter_complex", "[0][1]overlay=enable='gte(t,2)':shortest=1", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10")
	v := NewVideo(VideoOptions{})
	for name, ms := range map[string]uint32{"as it was made": 5000, "cut to its beginning": 120} {
		sound, err := v.Sound(t.Context(), edited(t, note, ms))
		if err != nil || sound.Tracks != 1 || sound.Damaged || sound.Length < 4900*time.Millisecond || sound.Length > 5100*time.Millisecond {
			t.Errorf("%s: %v long, damaged %v, %v", name, sound.Length, sound.Damaged, err)
		}
		got, err := v.Frames(t.Context(), edited(t, shown, ms), Want{})
		if err != nil || got.TestCard != "sexual.explicit" || got.Damaged || got.Frames[0].At != 0 {
			t.Errorf("%s: card %q, damaged %v, %v", name, got.TestCard, got.Damaged, err)
		}
	}
}

func TestTwoChannelsNeverTakeEachOtherAway(t *testing.T) {
	const second = SoundRate
	tone := func(i int) float64 { return .5 * math.Sin(float64(i)/5) }
	for name, right := range map[string]func(i int) float64{
		"alike":                            tone,
		"against each other":               func(i int) float64 { return -tone(i) },
		"first alike, then against":        func(i int) float64 { return math.Copysign(1, float64(second-i)) * tone(i) },
		"against each other for a blink":   func(i int) float64 { return math.Copysign(1, float64(i%second-second/5)) * tone(i) },
		"against each other, right louder": func(i int) float64 { return -1.2 * tone(i) },
		"on one side alone":                func(int) float64 { return 0 },
	} {
		var raw []byte
		for i := range 2 * second {
			for _, v := range []float64{tone(i), right(i)} {
				raw = binary.LittleEndian.AppendUint16(raw, uint16(int16(v*32767)))
			}
		}
		got := mono(raw)
		if len(got) != 2*second {
			t.Fatalf("%s: %d samples", name, len(got))
		}
		for at := 0; at < len(got); at += second / 10 {
			sum := 0.0
			for _, v := range got[at : at+second/10] {
				sum += float64(v) * float64(v)
			}
			if level := math.Sqrt(sum / (second / 10)); level < .12 || level > .5 {
				t.Errorf("%s: level %.3f at %d ms", name, level, 1000*at/second)
			}
		}
	}
}
