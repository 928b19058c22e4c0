package models

import (
	"context"
	"errors"
	"fmt"

	"nightlight/models/catalog"
	"nightlight/pipeline/speech"
)

// hearing is what could be loaded of the networks that hear: the detector of speech, and both halves of Whisper.
type hearing struct {
	detector speech.Detector
	whisper  speech.WhisperNetworks
}

// loadSpeech loads one of the networks by its form.
func (s *Set) loadSpeech(m catalog.Model) error {
	session, err := s.Session(m.Name, SessionOptions{AnyShape: true})
	if err != nil {
		return err
	}
	switch m.Form {
	case "detect":
		if len(session.Inputs()) != 3 || len(session.Outputs()) != 2 {
			return fmt.Errorf("load %s: inputs %v and outputs %v are not as expected", m.Name, session.Inputs(), session.Outputs())
		}
		s.hearing.detector.Run = detector(session)
		s.hearing.detector.Refs = append(s.hearing.detector.Refs, ref(m))
		return nil
	case "encoder":
		s.hearing.whisper.Encode = encoder(session)
	case "decoder":
		also := map[string][]byte{}
		for _, f := range m.Also {
			if also[f.Name], err = catalog.Read(s.dirs.Of(m), f); err != nil {
				return fmt.Errorf("load %s: %w", m.Name, err)
			}
		}
		if s.hearing.whisper.Tokens, err = speech.NewTokens(also["vocabulary"], also["settings"]); err != nil {
			return fmt.Errorf("load %s: %w", m.Name, err)
		}
		s.hearing.whisper.Layers = (len(session.Outputs()) - 1) / 2
		s.hearing.whisper.Width = whisperWidth
		s.hearing.whisper.Decode = decoder(session)
	default:
		return fmt.Errorf("load %s: form %q is not known", m.Name, m.Form)
	}
	s.hearing.whisper.Refs = append(s.hearing.whisper.Refs, ref(m))
	return nil
}

// whisperWidth is how many numbers a layer of Whisper base has for each token.
const whisperWidth = 512

// detector runs Silero's network on one chunk.
func detector(session *Session) func(context.Context, []float32, []float32) (float32, []float32, error) {
	return func(ctx context.Context, samples, state []float32) (float32, []float32, error) {
		in := [3]Tensor{{Shape: []int64{1, int64(len(samples))}, Float32: samples}, {Shape: []int64{2, 1, int64(len(state) / 2)}, Float32: state},
			{Shape: nil, Int64: []int64{speech.Rate}}}
		var out [2]Tensor
		if err := session.Run(ctx, in[:], out[:]); err != nil {
			return 0, nil, err
		}
		if len(out[0].Float32) != 1 {
			return 0, nil, errors.New("the detector's answer is not one number")
		}
		return out[0].Float32[0], out[1].Float32, nil
	}
}

// encoder gives everything but the encoder's first output, which only tests look at.
func encoder(session *Session) func(context.Context, speech.Tensor) ([]speech.Tensor, error) {
	return func(ctx context.Context, mel speech.Tensor) ([]speech.Tensor, error) {
		out := make([]Tensor, len(session.Outputs()))
		if err := session.Run(ctx, []Tensor{{Shape: mel.Shape, Float32: mel.Values}}, out); err != nil {
			return nil, err
		}
		return speechTensors(out[1:]), nil
	}
}

// decoder runs one step; its inputs are tokens, memory and past, in that order.
func decoder(session *Session) func(context.Context, []int64, []speech.Tensor, []speech.Tensor) ([]float32, []speech.Tensor, error) {
	return func(ctx context.Context, tokens []int64, memory, past []speech.Tensor) ([]float32, []speech.Tensor, error) {
		in := []Tensor{{Shape: []int64{int64(len(tokens))}, Int64: tokens}}
		for _, list := range [][]speech.Tensor{memory, past} {
			for _, t := range list {
				in = append(in, Tensor{Shape: t.Shape, Float32: t.Values})
			}
		}
		out := make([]Tensor, len(session.Outputs()))
		if err := session.Run(ctx, in, out); err != nil {
			return nil, nil, err
		}
		return out[0].Float32, speechTensors(out[1:]), nil
	}
}

func speechTensors(out []Tensor) []speech.Tensor {
	tensors := make([]speech.Tensor, len(out))
	for i, t := range out {
		tensors[i] = speech.Tensor{Shape: t.Shape, Values: t.Float32}
	}
	return tensors
}

// SpeechDetector gives the detector of speech; its Run is nil if the network is missing.
func (s *Set) SpeechDetector() speech.Detector { return s.hearing.detector }

// Whisper gives the transcriber, or nil if one of its networks is missing.
func (s *Set) Whisper() *speech.Whisper {
	w, err := speech.NewWhisper(s.hearing.whisper)
	if err != nil {
		return nil
	}
	return w
}

// warmSpeech hears a hundredth of a second, so that the networks have run once.
func (s *Set) warmSpeech(ctx context.Context) error {
	if d := s.SpeechDetector(); d.Run != nil {
		if _, _, err := d.Run(ctx, make([]float32, 576), make([]float32, 256)); err != nil {
			return err
		}
	}
	if w := s.Whisper(); w != nil {
		if _, err := w.Transcribe(ctx, make([]float32, speech.Rate/100)); err != nil {
			return err
		}
	}
	return nil
}
