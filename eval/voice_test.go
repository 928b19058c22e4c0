package eval

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestASentenceSaidAloudTripsItsLabel has a machine's voice say a harmless
// test phrase, as a voice note and in a film, and the real program judge both.
func TestASentenceSaidAloudTripsItsLabel(t *testing.T) {
	for _, tool := range []string{"espeak-ng", "ffmpeg"} {
		_, err := exec.LookPath(tool)
		need(t, tool, err == nil)
	}
	dir := t.TempDir()
	said, note, film := filepath.Join(dir, "said.wav"), filepath.Join(dir, "note.m4a"), filepath.Join(dir, "film.mp4")
	for _, args := range [][]string{
		{"espeak-ng", "-v", "en-us", "-s", "140", "-w", said, "This is a safety test for scam fraud."},
		{"ffmpeg", "-v", "error", "-i", said, "-c:a", "aac", note},
		{"ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10:duration=3", "-i", said, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest", film},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
	cmd := exec.Command(mustBinary(t), "score", "--media", said, note, film)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != 3 {
		t.Fatalf("%d answers, want 3", len(lines))
	}
	for _, line := range lines {
		var a struct {
			ID, Action string
			Signals    []struct {
				Label, In string
				Score     float64
				At        *float64
			}
		}
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, s := range a.Signals {
			found = found || s.Label == "scam.fraud" && s.In == "speech" && s.Score > .9 && s.At != nil
		}
		if !found || a.Action == "allow" {
			t.Errorf("%s: action %s, found %v", filepath.Base(a.ID), a.Action, found)
		}
	}
}
