// Package catalog reads models/manifest.yaml: which model files there are, what each must hash to, under which
// licence it comes, what its outputs mean, and which packages the files are made from. It also reads a model file
// so that only bytes that match their pin ever reach ONNX Runtime. It needs no C, so that set-up can run first.
package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Origin says how a file gets to where it is.
type Origin string

// The origins of a file.
const (
	Committed  Origin = "committed"  // in this repository, under models/weights
	Downloaded Origin = "downloaded" // taken out of a package at set-up, unchanged
	Converted  Origin = "converted"  // written at set-up from the files of a package
)

// Manifest is the whole list.
type Manifest struct {
	Version  int      `yaml:"version"`
	Sources  []Source `yaml:"sources"`
	Models   []Model  `yaml:"models"`
	Ensemble Ensemble `yaml:"ensemble"`
}

// Ensemble says which picture model looks first and when the others are asked. The zero value asks all always.
type Ensemble struct {
	First   string             `yaml:"first"`
	Clear   map[string]float64 `yaml:"clear"`   // our label → score below which, for every label here, nobody else is asked
	Settled map[string]float64 `yaml:"settled"` // our label → score from which on, for any label here, nobody else is asked
}

// Source is an archive that a package client brings at set-up.
type Source struct {
	Name     string   `yaml:"name"`
	Client   string   `yaml:"client"`   // pip or npm
	Package  string   `yaml:"package"`  // as the client knows it
	Version  string   `yaml:"version"`  // exactly this one
	Platform string   `yaml:"platform"` // pip's platform tag, empty where the archive fits every machine
	Python   string   `yaml:"python"`   // pip's Python tag, such as 311, that goes with the platform
	For      string   `yaml:"for"`      // GOOS/GOARCH that needs it, empty for all
	Archive  string   `yaml:"archive"`  // file name that the client gives it
	SHA256   string   `yaml:"sha256"`   // of the archive
	Licence  string   `yaml:"licence"`
	Members  []Member `yaml:"members"`
}

// Member is a file inside an archive. One without File is read for a conversion only and not kept.
type Member struct {
	Path   string `yaml:"path"`
	File   string `yaml:"file"`
	SHA256 string `yaml:"sha256"`
}

// Model is one model file and what its numbers mean.
type Model struct {
	Name        string                 `yaml:"name"`
	Version     string                 `yaml:"version"`
	Kind        string                 `yaml:"kind"` // image, text
	Role        string                 `yaml:"role"` // which part of the pipeline loads it
	Form        string                 `yaml:"form"` // of a text model: encoder or ngram
	Required    bool                   `yaml:"required"`
	Origin      Origin                 `yaml:"origin"`
	File        string                 `yaml:"file"` // below the cache folder, or below models/weights if committed
	SHA256      string                 `yaml:"sha256"`
	Bytes       int64                  `yaml:"bytes"`
	Licence     string                 `yaml:"licence"`
	Source      string                 `yaml:"source"` // the Source it comes from, or the program that made it
	Card        string                 `yaml:"card"`
	Convert     string                 `yaml:"convert"` // the conversion that makes it, if it is converted
	With        []string               `yaml:"with"`    // further sources that the conversion reads, before its own
	Input       Input                  `yaml:"input"`
	Output      Output                 `yaml:"output"`
	Labels      map[string][]string    `yaml:"labels"`      // our label ← sum of these outputs
	Calibration map[string]Calibration `yaml:"calibration"` // by our label
	Also        []File                 `yaml:"also"`        // more files that the model cannot be used without
}

// File is a file beside the model, pinned like it.
type File struct {
	Name   string `yaml:"name"`
	File   string `yaml:"file"`
	SHA256 string `yaml:"sha256"`
	Bytes  int64  `yaml:"bytes"`
}

// Input says what the model reads.
type Input struct {
	Name      string     `yaml:"name"`
	Layout    string     `yaml:"layout"`   // NHWC
	Size      int        `yaml:"size"`     // side in pixels
	Channels  string     `yaml:"channels"` // RGB or BGR
	Scale     float32    `yaml:"scale"`    // each value is (pixel - mean) × scale
	Mean      [3]float32 `yaml:"mean"`     // in the order of Channels
	MaxTokens int        `yaml:"max_tokens"`
}

// Output says what the model writes: a name, and the classes by index.
type Output struct {
	Name    string   `yaml:"name"`
	Classes []string `yaml:"classes"`
}

var sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Parse reads and checks a manifest. An unknown field is an error: a misspelt pin must not pass unseen.
func Parse(text []byte) (*Manifest, error) {
	var m Manifest
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("read manifest: more than one document")
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("read manifest: version %d is not known", m.Version)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return &m, nil
}

// Model gives the model of that name.
func (m *Manifest) Model(name string) (Model, bool) {
	for _, model := range m.Models {
		if model.Name == name {
			return model, true
		}
	}
	return Model{}, false
}

// Source gives the source of that name.
func (m *Manifest) Source(name string) (Source, bool) {
	for _, s := range m.Sources {
		if s.Name == name {
			return s, true
		}
	}
	return Source{}, false
}

// Library gives the native library's file for a platform written as GOOS/GOARCH.
func (m *Manifest) Library(platform string) (Member, bool) {
	for _, s := range m.Sources {
		if s.For != platform || s.Package != "onnxruntime" {
			continue
		}
		for _, member := range s.Members {
			if strings.HasPrefix(path.Base(member.Path), "libonnxruntime.so") {
				return member, true
			}
		}
	}
	return Member{}, false
}

func (m *Manifest) check() error {
	seen := map[string]bool{}
	for _, s := range m.Sources {
		if err := s.check(seen); err != nil {
			return fmt.Errorf("source %q: %w", s.Name, err)
		}
	}
	for _, model := range m.Models {
		if err := model.check(m, seen); err != nil {
			return fmt.Errorf("model %q: %w", model.Name, err)
		}
	}
	if err := m.Ensemble.check(m); err != nil {
		return fmt.Errorf("ensemble: %w", err)
	}
	return nil
}

// check demands a clear score for every label of the first model: one left out would let a picture pass on another's.
func (e Ensemble) check(m *Manifest) error {
	if e.First == "" && len(e.Clear)+len(e.Settled) == 0 {
		return nil
	}
	first, ok := m.Model(e.First)
	if !ok || first.Role != "image" || !first.Required {
		return fmt.Errorf("first %q is no required picture model", e.First)
	}
	for label := range first.Labels {
		if _, ok := e.Clear[label]; !ok {
			return fmt.Errorf("no clear score for %s", label)
		}
	}
	for _, scores := range []map[string]float64{e.Clear, e.Settled} {
		for label, score := range scores {
			if _, ok := first.Labels[label]; !ok || !(score > 0 && score < 1) {
				return fmt.Errorf("score %v for %s", score, label)
			}
		}
	}
	for label, settled := range e.Settled {
		if settled <= e.Clear[label] {
			return fmt.Errorf("%s is settled below where it is clear", label)
		}
	}
	return nil
}

func (s Source) check(seen map[string]bool) error {
	if s.Name == "" || seen["source "+s.Name] {
		return errors.New("name is missing or stands twice")
	}
	seen["source "+s.Name] = true
	if s.Client != "pip" && s.Client != "npm" {
		return fmt.Errorf("client %q is not known", s.Client)
	}
	if s.Package == "" || s.Version == "" || strings.HasPrefix(s.Package, "-") || s.Licence == "" {
		return errors.New("package, version or licence is missing")
	}
	if err := localFile(s.Archive); err != nil || strings.Contains(s.Archive, "/") {
		return fmt.Errorf("archive %q is no file name", s.Archive)
	}
	if !sha256Form.MatchString(s.SHA256) {
		return errors.New("sha256 is missing")
	}
	for _, member := range s.Members {
		if !sha256Form.MatchString(member.SHA256) {
			return fmt.Errorf("sha256 of %s is missing", member.Path)
		}
		if member.File == "" {
			continue
		}
		if err := localFile(member.File); err != nil {
			return err
		}
	}
	return nil
}

func (model Model) check(m *Manifest, seen map[string]bool) error {
	if model.Name == "" || model.Version == "" || seen["model "+model.Name] {
		return errors.New("name or version is missing, or the name stands twice")
	}
	seen["model "+model.Name] = true
	if model.Licence == "" || model.Source == "" || model.Kind == "" {
		return errors.New("kind, licence or source is missing")
	}
	switch model.Origin {
	case Committed:
	case Downloaded, Converted:
		if _, ok := m.Source(model.Source); !ok {
			return fmt.Errorf("source %q is not listed", model.Source)
		}
	default:
		return fmt.Errorf("origin %q is not known", model.Origin)
	}
	for _, name := range model.With {
		if _, ok := m.Source(name); !ok || model.Origin != Converted || name == model.Source {
			return fmt.Errorf("with: source %q is not listed, or nothing is converted", name)
		}
	}
	files := append([]File{{model.Name, model.File, model.SHA256, model.Bytes}}, model.Also...)
	for _, f := range files {
		if err := localFile(f.File); err != nil {
			return err
		}
		if !sha256Form.MatchString(f.SHA256) || f.Bytes <= 0 {
			return fmt.Errorf("sha256 or bytes of %s is missing", f.File)
		}
	}
	return model.checkLabels()
}

func (model Model) checkLabels() error {
	classes := map[string]bool{}
	for _, c := range model.Output.Classes {
		classes[c] = true
	}
	for label, sum := range model.Labels {
		for _, class := range sum {
			if !classes[class] {
				return fmt.Errorf("label %s sums class %q, which the output has not", label, class)
			}
		}
	}
	for label, c := range model.Calibration {
		if err := c.check(); err != nil {
			return fmt.Errorf("calibration of %s: %w", label, err)
		}
	}
	return nil
}

// localFile refuses a path that could leave the folder it is meant for.
func localFile(name string) error {
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") ||
		strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("file %q is not a plain path below its folder", name)
	}
	return nil
}
