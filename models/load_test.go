package models_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"nightlight/models"
	"nightlight/models/catalog"
	"nightlight/models/modelstest"
	"nightlight/pipeline"
)

// copied is a root of its own, whose files are links to the real ones, so that a test may spoil it. The links are
// hard ones: links by name that lead out of the folder are refused.
func copied(t testing.TB) models.Dirs {
	t.Helper()
	from, to := modelstest.Dirs(t), models.At(t.TempDir())
	for _, dir := range [][2]string{{from.Cache, to.Cache}, {from.Weights, to.Weights}} {
		err := filepath.WalkDir(dir[0], func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir[0], path)
			if err != nil {
				return err
			}
			target := filepath.Join(dir[1], name)
			if d.IsDir() {
				return os.MkdirAll(target, 0o755)
			}
			if os.Link(path, target) == nil {
				return nil
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, content, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// replace writes a file anew, so that the real one behind a hard link stays as it is.
func replace(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEveryModelThatTheProductNeedsIsLoaded(t *testing.T) {
	set := modelstest.Load(t)
	for _, role := range []string{"image", "text"} {
		if missing := set.MissingFor(role); len(missing) != 0 {
			t.Errorf("missing for %s: %v", role, missing)
		}
	}
	if len(set.Texts()) == 0 || set.Image() == nil {
		t.Error("no text model or no picture model")
	}
	if err := set.Warm(t.Context()); err != nil {
		t.Error(err)
	}
	if got := set.RuntimeVersion(); got != "1.32.0" {
		t.Errorf("got ONNX Runtime %s, want 1.32.0", got)
	}
}

func TestAChangedFileIsRefusedBeforeItIsOpened(t *testing.T) {
	manifest := modelstest.Manifest(t)
	library, err := modelstest.Dirs(t).Library(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		filepath.Join(".cache", "nightlight", filepath.Base(library)),
		filepath.Join(".cache", "nightlight", "open-nsfw.onnx"),
		filepath.Join("models", "weights", "text-linear", "model.onnx"),
		filepath.Join("models", "weights", "text-linear", "calibration.json"),
		filepath.Join("models", "weights", "text-encoder", "fold.tsv.gz"),
	} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dirs := copied(t)
			path := filepath.Join(dirs.Cache, "..", "..", file)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content[len(content)/2] ^= 1
			replace(t, path, content)
			set, err := models.Load(manifest, dirs, models.Settings{})
			if !errors.Is(err, catalog.ErrMismatch) || set != nil {
				t.Errorf("got %v, %v, want nothing loaded and ErrMismatch", set, err)
			}
			bad := 0
			for _, e := range models.Verify(manifest, dirs) {
				if e.State == models.Mismatch {
					bad++
				}
			}
			if bad == 0 {
				t.Error("verify finds no mismatch")
			}
		})
	}
}

func TestAMissingFileIsSaidAndTheRestIsLoaded(t *testing.T) {
	manifest := modelstest.Manifest(t)
	dirs := copied(t)
	if err := os.Remove(filepath.Join(dirs.Cache, "open-nsfw.onnx")); err != nil {
		t.Fatal(err)
	}
	set, err := models.Load(manifest, dirs, models.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	want := fmt.Sprint([]pipeline.Fault{{Source: "open-nsfw@0.1.0", Reason: "missing_model"}})
	if got := fmt.Sprint(set.MissingFor("image")); got != want {
		t.Errorf("missing for photos: got %v, want %v", got, want)
	}
	if got := set.MissingFor("text"); len(got) != 0 {
		t.Errorf("missing for text: got %v", got)
	}
	if n := len(set.Image().Models()); n != 2 {
		t.Errorf("%d picture models, want the two that are there", n)
	}
}

func TestWithoutTheLinearModelAnEncoderThatCountsOnItIsMissingToo(t *testing.T) {
	manifest := modelstest.Manifest(t)
	dirs := copied(t)
	text, err := os.ReadFile(filepath.Join(dirs.Weights, "text-encoder/calibration.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Linear float64 }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if file.Linear == 0 {
		t.Skip("the calibration gives the linear model no share")
	}
	if err := os.Remove(filepath.Join(dirs.Weights, "text-linear/model.onnx")); err != nil {
		t.Fatal(err)
	}
	set, err := models.Load(manifest, dirs, models.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if len(set.Texts()) != 0 || len(set.Missing()) != 2 || len(set.MissingFor("text")) == 0 {
		t.Errorf("texts are judged by %v, missing %v, want none and both", set.Texts(), set.Missing())
	}
}

func TestWithoutTheLibraryEveryModelIsMissingAndNothingFails(t *testing.T) {
	manifest := modelstest.Manifest(t)
	set, err := models.Load(manifest, models.At(t.TempDir()), models.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(set.Missing()), len(manifest.Models); got != want || set.Image() != nil || len(set.Texts()) != 0 {
		t.Errorf("%d models missing, want %d and none loaded", got, want)
	}
	if err := errors.Join(set.Warm(t.Context()), set.Close()); err != nil {
		t.Error(err)
	}
	if _, err := set.Session("nsfwjs-mid", models.SessionOptions{}); !errors.Is(err, catalog.ErrMissing) {
		t.Errorf("got %v, want ErrMissing", err)
	}
}

func TestListAndVerifyTellOfEveryFile(t *testing.T) {
	manifest := modelstest.Manifest(t)
	dirs := copied(t)
	optional := map[string]bool{} // whose file is not there at all
	for _, e := range models.Verify(manifest, dirs) {
		optional[e.Name] = e.State == models.Missing && !e.Required
		if e.State != models.OK && !optional[e.Name] || e.Licence == "" || e.SHA256 == "" {
			t.Errorf("%+v", e)
		}
	}
	if err := os.Remove(filepath.Join(dirs.Cache, "nsfwjs-mid.onnx")); err != nil {
		t.Fatal(err)
	}
	for _, look := range []func(*catalog.Manifest, models.Dirs) []models.Entry{models.List, models.Verify} {
		entries := look(manifest, dirs)
		if got, want := len(entries), len(manifest.Models)+1; got != want {
			t.Errorf("%d entries, want %d", got, want)
		}
		for _, e := range entries {
			if missing := e.Name == "nsfwjs-mid" || optional[e.Name]; missing != (e.State == models.Missing) {
				t.Errorf("%s is %s", e.Name, e.State)
			}
		}
	}
}

func TestTheBinaryFindsItsModelsFromAnyWorkingDirectory(t *testing.T) {
	root, empty := t.TempDir(), t.TempDir()
	at := models.At(root)
	for _, dir := range []string{at.Cache, at.Weights, filepath.Join(root, "bin")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	inBin, inRoot, alone := filepath.Join(root, "bin", "nightlight"), filepath.Join(root, "nightlight"), filepath.Join(empty, "nightlight")
	for _, path := range []string{inBin, inRoot, alone} {
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(empty, "link")
	if err := os.Symlink(inBin, link); err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(empty)
	for name, tc := range map[string]struct {
		executable, override string
		want                 models.Dirs
	}{
		"beside bin":                       {inBin, "", models.At(real)},
		"in the folder of the binary":      {inRoot, "", models.At(real)},
		"through a link":                   {link, "", models.At(real)},
		"where it is told":                 {alone, root, at},
		"nowhere":                          {alone, "", models.Dirs{}},
		"where it is told, and is not":     {inBin, empty, models.Dirs{}},
		"for a binary that is not a file":  {filepath.Join(empty, "gone"), "", models.Dirs{}},
		"by a relative path that is wrong": {inBin, "models", models.Dirs{}},
	} {
		got, err := models.Find(tc.executable, tc.override)
		if got != tc.want || (err == nil) != (tc.want != models.Dirs{}) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, tc.want)
		}
	}
}

func TestAnEncoderOnTrialAnswersUnderItsOwnVersionAndWithItsOwnCalibration(t *testing.T) {
	manifest, dirs := modelstest.Manifest(t), modelstest.Dirs(t)
	folder := filepath.Join(dirs.Weights, "text-encoder")
	content, err := os.ReadFile(filepath.Join(folder, "calibration.json"))
	if err != nil {
		t.Fatal(err)
	}
	calibration := map[string]any{}
	if err := json.Unmarshal(content, &calibration); err != nil {
		t.Fatal(err)
	}
	labels := calibration["labels"].(map[string]any)
	for l := range labels {
		flat := map[string]float64{"a": 0.001, "b": 0}
		labels[l] = map[string]any{"zh": flat, "en": flat}
	}
	if content, err = json.Marshal(calibration); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "calibration.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	trial := models.Trial{Graph: filepath.Join(folder, "model.onnx"), Calibration: path}
	set, err := models.Load(manifest, dirs, models.Settings{Try: trial})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	signals, err := set.Texts()[0].ClassifyText(t.Context(), pipeline.Text{Text: "hello 你好"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range signals {
		if s.Source != "text-encoder@trial" || s.Score < .49 || s.Score > .51 {
			t.Errorf("%s: got %.3f by %s, want a score close to 0.5 by text-encoder@trial", s.Label, s.Score, s.Source)
		}
	}
	trial.Graph = path
	if set, err := models.Load(manifest, dirs, models.Settings{Try: trial}); err == nil {
		t.Error("a graph that is none loads")
		_ = set.Close()
	}
}
