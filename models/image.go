package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"nightlight/models/catalog"
	"nightlight/pipeline"
)

// ImageModel is one picture classifier.
type ImageModel struct {
	session *Session
	model   catalog.Model
	labels  []imageLabel
}

type imageLabel struct {
	label       pipeline.Label
	classes     []int // their probabilities are summed
	calibration catalog.Calibration
}

// newImageModel checks that what the manifest says of a model fits the model and our labels.
func newImageModel(session *Session, model catalog.Model) (*ImageModel, error) {
	m := &ImageModel{session: session, model: model}
	if len(session.Inputs()) != 1 || session.Inputs()[0] != model.Input.Name || len(session.Outputs()) != 1 {
		return nil, fmt.Errorf("load %s: inputs %v and outputs %v are not what the manifest says", model.Name, session.Inputs(), session.Outputs())
	}
	for _, label := range pipeline.ImageLabels {
		names, ok := model.Labels[string(label)]
		if !ok {
			continue
		}
		l := imageLabel{label: label, calibration: model.Calibration[string(label)]}
		for _, name := range names {
			l.classes = append(l.classes, slices.Index(model.Output.Classes, name))
		}
		m.labels = append(m.labels, l)
	}
	if len(m.labels) != len(model.Labels) || len(m.labels) == 0 {
		return nil, fmt.Errorf("load %s: the manifest gives it labels that no picture can carry", model.Name)
	}
	return m, nil
}

// Ref names the model exactly.
func (m *ImageModel) Ref() pipeline.ModelRef { return ref(m.model) }

// Input says how the tensor for Scores must be made.
func (m *ImageModel) Input() catalog.Input { return m.model.Input }

// Scores gives the model's own probabilities, one for each of the manifest's classes, for one picture of
// size × size × 3 values, rows first, channels last.
func (m *ImageModel) Scores(ctx context.Context, tensor []float32) ([]float32, error) {
	side := int64(m.model.Input.Size)
	in := [1]Tensor{{Shape: []int64{1, side, side, 3}, Float32: tensor}}
	var out [1]Tensor
	if err := m.session.Run(ctx, in[:], out[:]); err != nil {
		return nil, err
	}
	if len(out[0].Float32) != len(m.model.Output.Classes) {
		return nil, fmt.Errorf("run %s: %d scores for %d classes", m.model.Name, len(out[0].Float32), len(m.model.Output.Classes))
	}
	for _, p := range out[0].Float32 {
		if !(p >= 0 && p <= 1.0001) { // also true for what is not a number
			return nil, fmt.Errorf("run %s: a score is %v", m.model.Name, p)
		}
	}
	return out[0].Float32, nil
}

// Classify gives a Signal for each label that the model speaks of, whatever its score.
func (m *ImageModel) Classify(ctx context.Context, tensor []float32) ([]pipeline.Signal, error) {
	scores, err := m.Scores(ctx, tensor)
	if err != nil {
		return nil, err
	}
	return m.Signals(scores), nil
}

// Signals says what the model's own probabilities mean.
func (m *ImageModel) Signals(scores []float32) []pipeline.Signal {
	source := m.Ref().String()
	signals := make([]pipeline.Signal, len(m.labels))
	for i, l := range m.labels {
		var sum float64
		for _, class := range l.classes {
			sum += float64(scores[class])
		}
		signals[i] = pipeline.Signal{Label: l.label, Score: l.calibration.Apply(math.Min(sum, 1)), Source: source}
	}
	return signals
}

// ImageJudge looks at a picture with every picture model that is loaded. Models are second opinions of each other:
// each gives its own Signals, and the policy acts on the highest score of a label.
type ImageJudge struct{ models []*ImageModel }

// Models lists the models, in the manifest's order. For each, a picture needs one tensor.
func (j *ImageJudge) Models() []*ImageModel { return j.models }

// Refs names the models exactly.
func (j *ImageJudge) Refs() []pipeline.ModelRef {
	refs := make([]pipeline.ModelRef, len(j.models))
	for i, m := range j.models {
		refs[i] = m.Ref()
	}
	return refs
}

// ErrNoTensor says that a picture was not prepared for a model that is loaded.
var ErrNoTensor = errors.New("no tensor for this model")

// Classify judges one picture, given as one tensor for each model, by the model's name. A model that cannot answer
// makes the whole answer an error: a picture that only one of two looked at has not been looked at.
func (j *ImageJudge) Classify(ctx context.Context, tensors map[string][]float32) ([]pipeline.Signal, error) {
	var signals []pipeline.Signal
	for _, m := range j.models {
		tensor, ok := tensors[m.model.Name]
		if !ok {
			return nil, fmt.Errorf("judge picture by %s: %w", m.model.Name, ErrNoTensor)
		}
		found, err := m.Classify(ctx, tensor)
		if err != nil {
			return nil, fmt.Errorf("judge picture: %w", err)
		}
		signals = append(signals, found...)
	}
	return signals, nil
}

func ref(m catalog.Model) pipeline.ModelRef {
	return pipeline.ModelRef{Name: m.Name, Version: m.Version, SHA256: m.SHA256}
}
