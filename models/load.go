package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"nightlight/models/catalog"
	"nightlight/models/ngram"
	"nightlight/models/tokenizer"
	"nightlight/pipeline"
	"nightlight/pipeline/ocr"
)

// Settings are what the operator may choose.
type Settings struct {
	// Parallel bounds the runs of one model that go at a time; 0 means one for each core.
	Parallel int
	// Try is another text encoder to be measured in place of the pinned one; never for serving.
	Try Trial
}

// Trial names files that stand in for the pinned graph and calibration of the text encoder, unpinned: a float32
// graph, a teacher, a candidate. An empty name keeps the pinned file.
type Trial struct{ Graph, Calibration string }

// trialVersion is the version under which a Trial answers, so that no verdict of it passes for a pinned model's.
const trialVersion = "trial"

// Set is everything that could be loaded.
type Set struct {
	runtime  *Runtime
	manifest *catalog.Manifest
	dirs     Dirs
	parallel int
	trial    Trial
	image    *ImageJudge
	texts    []pipeline.TextClassifier
	ocr      ocr.Networks
	hearing  hearing
	missing  []pipeline.Fault
}

// Load opens ONNX Runtime and every model of the manifest. A model whose file is not there is left out and listed
// by Missing, so that what it would have judged is held. A file that is there but is not the pinned one is an
// error: it is refused, and nothing is loaded.
func Load(manifest *catalog.Manifest, dirs Dirs, settings Settings) (*Set, error) {
	s := &Set{manifest: manifest, dirs: dirs, parallel: settings.Parallel, trial: settings.Try, image: &ImageJudge{}}
	if s.parallel <= 0 {
		s.parallel = runtime.GOMAXPROCS(0)
	}
	var err error
	if s.runtime, err = openVerified(manifest, dirs); errors.Is(err, catalog.ErrMissing) {
		for _, m := range manifest.Models {
			s.miss(m)
		}
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load models: %w (make setup brings what is missing or changed)", err)
	}
	for _, m := range manifest.Models {
		err := s.load(m)
		if errors.Is(err, catalog.ErrMissing) {
			s.miss(m)
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("load models: %w (make setup brings what is missing or changed)", err), s.Close())
		}
	}
	if err := s.pair(); err != nil {
		return nil, errors.Join(fmt.Errorf("load models: %w", err), s.Close())
	}
	return s, nil
}

// pair gives each encoder the linear model beside it. An encoder that counts on one that is missing is left out,
// and what it would have judged is held.
func (s *Set) pair() error {
	var linear *TextLinear
	for _, t := range s.texts {
		if l, ok := t.(*TextLinear); ok {
			linear = l
		}
	}
	var kept []pipeline.TextClassifier
	for _, t := range s.texts {
		if e, ok := t.(*TextEncoder); ok {
			err := e.pair(linear)
			if errors.Is(err, catalog.ErrMissing) {
				s.missing = append(s.missing, pipeline.Fault{Source: e.Ref().String(), Reason: "missing_model"})
				continue
			}
			if err != nil {
				return err
			}
		}
		kept = append(kept, t)
	}
	s.texts = kept
	return nil
}

// openVerified opens the library after comparing it with its pin.
func openVerified(manifest *catalog.Manifest, dirs Dirs) (*Runtime, error) {
	member, ok := manifest.Library(runtime.GOOS + "/" + runtime.GOARCH)
	if !ok {
		return nil, fmt.Errorf("no ONNX Runtime library is known for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	path, err := dirs.Library(manifest)
	if err != nil {
		return nil, err
	}
	if err := verifyLibrary(path, dirs, member); err != nil {
		return nil, err
	}
	return OpenRuntime(path)
}

func verifyLibrary(path string, dirs Dirs, member catalog.Member) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open %s: %w", member.File, catalog.ErrMissing)
	}
	if err != nil {
		return err
	}
	_, err = catalog.Read(dirs.Cache, catalog.File{File: member.File, SHA256: member.SHA256, Bytes: info.Size()})
	return err
}

func (s *Set) load(m catalog.Model) error {
	switch m.Role {
	case "text":
		return s.loadText(m)
	case "image":
		session, err := s.Session(m.Name, SessionOptions{})
		if err != nil {
			return err
		}
		model, err := newImageModel(session, m)
		if err != nil {
			return err
		}
		s.image.models = append(s.image.models, model)
		return nil
	case "ocr":
		return s.loadOCR(m)
	case "speech":
		return s.loadSpeech(m)
	}
	return fmt.Errorf("load %s: role %q is not known", m.Name, m.Role)
}

// loadText loads a text model of either form. The manifest lists the best first.
func (s *Set) loadText(m catalog.Model) error {
	if m.Form == "encoder" && s.trial != (Trial{}) {
		m.Version = trialVersion
	}
	session, err := s.textSession(m)
	if err != nil {
		return err
	}
	also := map[string][]byte{}
	for _, f := range m.Also {
		content, err := catalog.Read(s.dirs.Of(m), f)
		if err != nil {
			return fmt.Errorf("load %s: %w", m.Name, err)
		}
		also[f.Name] = content
	}
	if m.Version == trialVersion && s.trial.Calibration != "" {
		if also["calibration"], err = os.ReadFile(s.trial.Calibration); err != nil {
			return fmt.Errorf("load %s: %w", m.Name, err)
		}
	}
	classifier, err := newText(m, session, also)
	if err != nil {
		return fmt.Errorf("load %s: %w", m.Name, err)
	}
	s.texts = append(s.texts, classifier)
	return nil
}

// textSession opens the pinned graph, or that of a trial.
func (s *Set) textSession(m catalog.Model) (*Session, error) {
	o := SessionOptions{AnyShape: true, Parallel: s.parallel}
	if m.Version != trialVersion || s.trial.Graph == "" {
		return s.Session(m.Name, o)
	}
	graph, err := os.ReadFile(s.trial.Graph)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", m.Name, err)
	}
	o.Name = m.Name + "@" + trialVersion
	return s.runtime.NewSession(graph, o)
}

func newText(m catalog.Model, session *Session, also map[string][]byte) (pipeline.TextClassifier, error) {
	head, err := newTextHead(ref(m), session.About().Metadata["labels"], also["calibration"])
	if err != nil {
		return nil, err
	}
	switch m.Form {
	case "ngram":
		fold, err := tokenizer.ParseFold(also["fold"])
		if err != nil {
			return nil, err
		}
		return newTextLinear(head, session, ngram.New(fold))
	case "encoder":
		tok, err := tokenizer.New(also["vocabulary"], also["fold"])
		if err != nil {
			return nil, err
		}
		return newTextEncoder(head, session, tok)
	}
	return nil, fmt.Errorf("form %q is not known", m.Form)
}

// Session opens one model of the manifest: its bytes are read once, compared with their pin, and only then given
// to ONNX Runtime. Name and an empty Parallel are filled in.
func (s *Set) Session(name string, o SessionOptions) (*Session, error) {
	m, ok := s.manifest.Model(name)
	if !ok {
		return nil, fmt.Errorf("load %s: not in the manifest", name)
	}
	if s.runtime == nil {
		return nil, fmt.Errorf("load %s: ONNX Runtime: %w", name, catalog.ErrMissing)
	}
	content, err := catalog.Read(s.dirs.Of(m), m.Main())
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	o.Name = m.Name + "@" + m.Version
	if o.Parallel == 0 {
		o.Parallel = s.parallel
	}
	return s.runtime.NewSession(content, o)
}

func (s *Set) miss(m catalog.Model) {
	s.missing = append(s.missing, pipeline.Fault{Source: ref(m).String(), Reason: "missing_model"})
}

// Image gives the judge of pictures, or nil if no picture model could be loaded.
func (s *Set) Image() *ImageJudge {
	if len(s.image.models) == 0 {
		return nil
	}
	return s.image
}

// Ensemble says which picture model looks first and when the others are asked.
func (s *Set) Ensemble() catalog.Ensemble { return s.manifest.Ensemble }

// Texts gives the text classifiers that could be loaded, the best first.
func (s *Set) Texts() []pipeline.TextClassifier { return s.texts }

// Missing tells which models of the manifest are not loaded, in the form in which a verdict names them.
func (s *Set) Missing() []pipeline.Fault { return s.missing }

// MissingFor is Missing for the models of one role that the manifest says cannot be done without. What such a
// model would have judged must be held.
func (s *Set) MissingFor(role string) []pipeline.Fault {
	var faults []pipeline.Fault
	for _, f := range s.missing {
		for _, m := range s.manifest.Models {
			if m.Role == role && m.Required && ref(m).String() == f.Source {
				faults = append(faults, f)
			}
		}
	}
	return faults
}

// RuntimeVersion gives the version of ONNX Runtime, or "" if it is missing.
func (s *Set) RuntimeVersion() string {
	if s.runtime == nil {
		return ""
	}
	return s.runtime.Version()
}

// Warm runs each model once, so that the first item does not pay for it.
func (s *Set) Warm(ctx context.Context) error {
	for _, m := range s.image.models {
		side := m.Input().Size
		if _, err := m.Scores(ctx, make([]float32, side*side*3)); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
	}
	for _, t := range s.texts {
		if _, err := t.ClassifyText(ctx, pipeline.Text{Text: "hello 你好"}); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
	}
	if err := s.warmOCR(ctx); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	if err := s.warmSpeech(ctx); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	return nil
}

// Close frees every model and the library.
func (s *Set) Close() error {
	if s.runtime == nil {
		return nil
	}
	return s.runtime.Close()
}
