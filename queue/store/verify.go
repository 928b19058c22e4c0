package store

import (
	"context"
	"fmt"
)

// AuditReport says whether the log is whole.
type AuditReport struct {
	Lines int64 `json:"lines"`
	// Broken is nil when every chain is whole, else the first broken line.
	Broken *Break `json:"broken,omitempty"`
}

// Break names the first line that does not fit.
type Break struct {
	Chain string `json:"chain"`
	Seq   int64  `json:"seq"`
	Why   string `json:"why"` // hash, link, gap or tail
}

// The ways in which a chain can be broken.
const (
	brokenHash = "hash" // a field was changed
	brokenLink = "link" // the line does not follow the one before
	brokenGap  = "gap"  // a line is missing
	brokenTail = "tail" // lines are missing at the end
)

// VerifyAudit walks every chain and compares it with the anchors. The chain's
// own head shows a tail that was cut by somebody who could not write the
// heads; against one who could, only an anchor kept elsewhere helps.
func (s *Store) VerifyAudit(ctx context.Context, anchors ...Anchor) (report AuditReport, err error) {
	heads, err := s.AuditHeads(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	chains, err := allOf(s.reader(ctx), "SELECT DISTINCT chain, 0, '' FROM audit ORDER BY chain", nil, scanAnchor)
	if err != nil {
		return AuditReport{}, fmt.Errorf("list audit chains: %w", err)
	}
	walked := map[string]bool{}
	for _, list := range [][]Anchor{heads, anchors, chains} {
		for _, a := range list {
			if walked[a.Chain] {
				continue
			}
			walked[a.Chain] = true
			lines, broken, err := s.verifyChain(ctx, a.Chain, pick(heads, a.Chain), pick(anchors, a.Chain))
			report.Lines += lines
			if err != nil || broken != nil {
				report.Broken = broken
				return report, err
			}
		}
	}
	return report, nil
}

// VerifyChain walks one chain, as VerifyAudit does all, for those who may know of
// no other.
func (s *Store) VerifyChain(ctx context.Context, chain string) (report AuditReport, err error) {
	heads, err := s.AuditHeads(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	report.Lines, report.Broken, err = s.verifyChain(ctx, chain, pick(heads, chain), nil)
	return report, err
}

func pick(list []Anchor, chain string) (found []Anchor) {
	for _, a := range list {
		if a.Chain == chain {
			found = append(found, a)
		}
	}
	return found
}

// verifyChain reads a chain in pages, so that memory stays flat.
func (s *Store) verifyChain(ctx context.Context, chain string, head, anchors []Anchor) (lines int64, broken *Break, err error) {
	last := Entry{Chain: chain}
	fixed := map[int64]string{}
	for _, a := range append(head, anchors...) {
		if want, seen := fixed[a.Seq]; seen && want != a.Hash {
			return 0, &Break{Chain: chain, Seq: a.Seq, Why: brokenHash}, nil
		}
		fixed[a.Seq] = a.Hash
	}
	for {
		batch, err := s.AuditLog(ctx, chain, last.Seq+1, 1000)
		if err != nil {
			return lines, nil, err
		}
		for _, e := range batch {
			if why := follows(last, e, fixed); why != "" {
				return lines, &Break{Chain: chain, Seq: last.Seq + 1, Why: why}, nil
			}
			last = e
			lines++
		}
		if len(batch) == 0 {
			break
		}
	}
	for seq := range fixed {
		if seq > last.Seq {
			return lines, &Break{Chain: chain, Seq: last.Seq + 1, Why: brokenTail}, nil
		}
	}
	// lines may have been added while we read; then the head has moved too
	var end int64
	if err := s.reader(ctx).one("SELECT COALESCE(MAX(seq), 0) FROM audit_heads WHERE chain = $1", args(chain), &end); err != nil {
		return lines, nil, fmt.Errorf("read audit head: %w", err)
	}
	if end < last.Seq {
		return lines, &Break{Chain: chain, Seq: end + 1, Why: brokenTail}, nil
	}
	return lines, nil, nil
}

// follows says why e is not the line after last, empty when it is.
func follows(last, e Entry, fixed map[int64]string) string {
	want, anchored := fixed[e.Seq]
	switch {
	case e.Seq != last.Seq+1:
		return brokenGap
	case e.Prev != last.Hash:
		return brokenLink
	case e.hash() != e.Hash, anchored && want != e.Hash:
		return brokenHash
	}
	return ""
}
