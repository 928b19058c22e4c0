package models

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"nightlight/models/catalog"
	"nightlight/pipeline/ocr"
)

// loadOCR loads one of the three networks that read text in pictures, by its form. A Reader is made of them only
// when all are there.
func (s *Set) loadOCR(m catalog.Model) error {
	session, err := s.Session(m.Name, SessionOptions{AnyShape: true})
	if err != nil {
		return err
	}
	if len(session.Inputs()) != 1 || len(session.Outputs()) != 1 {
		return fmt.Errorf("load %s: inputs %v and outputs %v, want one of each", m.Name, session.Inputs(), session.Outputs())
	}
	switch m.Form {
	case "detect":
		s.ocr.Detect = network(session)
	case "turn":
		s.ocr.Turn = network(session)
	case "read":
		if s.ocr.Keys, err = s.keys(m); err != nil {
			return fmt.Errorf("load %s: %w", m.Name, err)
		}
		s.ocr.Read = network(session)
	default:
		return fmt.Errorf("load %s: form %q is not known", m.Name, m.Form)
	}
	s.ocr.Refs = append(s.ocr.Refs, ref(m))
	return nil
}

// keys reads the characters that a network knows, one a line.
func (s *Set) keys(m catalog.Model) ([]string, error) {
	for _, f := range m.Also {
		if f.Name != "keys" {
			continue
		}
		content, err := catalog.Read(s.dirs.Of(m), f)
		if err != nil {
			return nil, err
		}
		return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n"), nil
	}
	return nil, errors.New("no keys in the manifest")
}

func network(session *Session) ocr.Network {
	return func(ctx context.Context, shape []int64, values []float32) ([]int64, []float32, error) {
		in := [1]Tensor{{Shape: shape, Float32: values}}
		var out [1]Tensor
		if err := session.Run(ctx, in[:], out[:]); err != nil {
			return nil, nil, err
		}
		return out[0].Shape, out[0].Float32, nil
	}
}

// OCR gives the reader of text in pictures, or nil if one of its networks is missing.
func (s *Set) OCR() *ocr.Reader {
	r, err := ocr.New(s.ocr, ocr.Settings{})
	if err != nil {
		return nil
	}
	return r
}

// warmOCR reads a small picture of a dark bar, so that the networks have run once.
func (s *Set) warmOCR(ctx context.Context) error {
	r := s.OCR()
	if r == nil {
		return nil
	}
	p := ocr.Picture{Width: 192, Height: 64, Pix: make([]byte, 3*192*64)}
	for i := range p.Pix {
		if y := i / (3 * p.Width); y < 20 || y > 40 {
			p.Pix[i] = 255
		}
	}
	_, err := r.Read(ctx, p)
	return err
}
