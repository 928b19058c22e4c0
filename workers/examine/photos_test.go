package examine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nightlight/models/modelstest"
	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/workers/examine"
)

// photoFolder names a folder of harmless photos that packages ship, to measure
// false alarms on; models/cards/nsfwjs-mid.md says which.
const photoFolder = "NIGHTLIGHT_PHOTOS"

// TestHarmlessPhotosSeldomRaiseAnAlarm asks every picture model about every
// photo and prints who would have raised an alarm, and how often second opinions
// are asked for.
func TestHarmlessPhotosSeldomRaiseAnAlarm(t *testing.T) {
	root := os.Getenv(photoFolder)
	if root == "" {
		t.Skip(photoFolder + " names no folder of photos")
	}
	set := modelstest.Load(t)
	d, err := media.NewDecoder(media.DecoderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	e := &examine.Examiner{Decoder: d}
	for _, m := range set.Image().Models() {
		mode := media.Stretch
		if m.Input().Channels == "BGR" {
			mode = media.OpenNSFW
		}
		e.Eyes = append(e.Eyes, examine.Eye{Model: m, Square: media.Square{Size: m.Input().Size, Mode: mode}})
	}
	first := set.Image().Models()[0].Ref().String()
	photos, asked, alarms, unheard := 0, 0, map[string]int{}, 0
	seen := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() || !slices.Contains([]string{".jpg", ".jpeg", ".png", ".webp"}, strings.ToLower(filepath.Ext(path))) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, err := media.Inspect(data); errors.Is(err, media.ErrUnsupported) {
			return nil
		}
		s, err := e.Photo(t.Context(), data)
		if err != nil {
			return err
		}
		if seen[s.SHA256] || s.SHA256 == "" {
			return nil
		}
		seen[s.SHA256] = true
		photos++
		unsure, loud, who := false, false, ""
		for _, sig := range s.Signals {
			if sig.Source == first && sig.Score >= set.Ensemble().Clear[string(sig.Label)] {
				unsure = true
			}
			if sig.Score >= 0.5 && (sig.Label == pipeline.SexualExplicit || sig.Label == pipeline.SexualSuggestive) {
				alarms[sig.Source+" "+string(sig.Label)]++
				loud, who = true, who+" "+sig.Source+" "+string(sig.Label)
			}
		}
		if unsure {
			asked++
		}
		if loud {
			t.Logf("%s:%s; second opinion asked: %v", strings.TrimPrefix(path, root), who, unsure)
			if !unsure {
				unheard++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d photos; alarms %v; second opinions asked for %d; alarms of second opinions not asked for %d", photos, alarms, asked, unheard)
	if photos == 0 {
		t.Error("no photo in the folder")
	}
}
