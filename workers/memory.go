package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"nightlight/pipeline"
	"nightlight/pipeline/pdq"
	"nightlight/queue/store"
	"nightlight/workers/examine"
)

// memory is what is on record of a tenant's earlier uploads. Policy is asked
// afresh each time, for the child at hand; only the models' scores are reused.
type memory struct {
	store  *store.Store
	tenant string
}

// sureScore is the score for sexual.explicit from which on what the models said
// of one picture is said of a near one.
//
// Two files of the same bytes are one picture. Two pictures of nearly the same
// hash need not be: hashes can be made to meet on purpose, and a small part of a
// picture moves few bits. So scores never travel where they could help something
// through. sexual.explicit is the gravest that a picture can be found to be; at
// 0.9 it is far above its decision point and above the default policy's scores
// for hold, whatever the age, so that no other label could make the verdict
// graver. The worst that a wrong match does is that a person looks for nothing.
// Every picture that an earlier one would let pass, or only blur, is looked at
// by the models itself.
const sureScore = 0.9

// SameFile implements examine.Memory.
func (m memory) SameFile(ctx context.Context, sha256, models string) (pipeline.Findings, bool, error) {
	p, err := m.store.PrintOf(ctx, m.tenant, sha256, models)
	if errors.Is(err, store.ErrNotFound) {
		return pipeline.Findings{}, false, nil
	}
	if err != nil {
		return pipeline.Findings{}, false, err
	}
	return scoresOf(p)
}

// SamePicture implements examine.Memory.
func (m memory) SamePicture(ctx context.Context, p pdq.Print, models string) (pipeline.Findings, bool, error) {
	if p.Quality < store.NearQuality {
		return pipeline.Findings{}, false, nil
	}
	list, err := m.store.NearPrints(ctx, m.tenant, p.Hash[:], models)
	if err != nil {
		return pipeline.Findings{}, false, err
	}
	for _, near := range list {
		f, ok, err := scoresOf(near)
		if err != nil || ok && sure(f) {
			return f, ok, err
		}
	}
	return pipeline.Findings{}, false, nil
}

func sure(f pipeline.Findings) bool {
	for _, s := range f.Signals {
		if s.Label == pipeline.SexualExplicit && s.Score >= sureScore {
			return true
		}
	}
	return false
}

func scoresOf(p store.Print) (f pipeline.Findings, ok bool, err error) {
	if err := json.Unmarshal([]byte(p.Scores), &f); err != nil {
		return pipeline.Findings{}, false, fmt.Errorf("scores of item %s: %w", p.ItemID, err)
	}
	return f, true, nil
}

// printOf is what is remembered of an item, nil when it carries no picture that
// could be opened.
func printOf(lease *store.Lease, s examine.Sight) (*store.Print, error) {
	m := s.Memorable
	if m == nil || lease.Media == nil {
		return nil, nil
	}
	p := &store.Print{SHA256: lease.Media.SHA256, Models: m.Models, Alone: lease.Item.Text == ""}
	if m.Still {
		p.PDQ, p.Quality = m.Print.Hash[:], m.Print.Quality
	}
	// only what the models themselves said of this very picture is remembered
	if len(m.Scores.Faults) == 0 && len(m.Scores.Models) > 0 && reusedOf(s) != "picture" {
		own := m.Scores
		own.Signals = nil
		for _, sig := range m.Scores.Signals {
			sig.Reused = ""
			own.Signals = append(own.Signals, sig)
		}
		b, err := json.Marshal(own)
		if err != nil {
			return nil, fmt.Errorf("remember the scores of item %s: %w", lease.ItemID, err)
		}
		p.Scores = string(b)
	}
	return p, nil
}

// reusedOf says how the picture's scores were had: file, picture or empty.
func reusedOf(s examine.Sight) string {
	if s.Memorable == nil {
		return ""
	}
	for _, sig := range s.Memorable.Scores.Signals {
		if sig.Reused != "" {
			return sig.Reused
		}
	}
	return ""
}
