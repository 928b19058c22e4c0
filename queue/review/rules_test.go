package review

import (
	"slices"
	"testing"
	"time"

	"nightlight/pipeline"
)

func TestRankGrowsWithPriorityAndWaiting(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	waiting := func(priority float64, waited, deadline time.Duration) Case {
		opened := now.Add(-waited)
		return Case{Priority: priority, OpenedAt: opened, Deadline: opened.Add(deadline)}
	}
	for name, c := range map[string]struct{ first, second Case }{
		"the graver of two":                   {waiting(80, 0, time.Hour), waiting(20, 0, time.Hour)},
		"the older of two":                    {waiting(20, time.Hour, time.Hour), waiting(20, 0, time.Hour)},
		"the nearer deadline of two":          {waiting(20, time.Minute, 5*time.Minute), waiting(20, time.Minute, time.Hour)},
		"an urgent one before a patient one":  {waiting(80, 0, 5*time.Minute), waiting(20, 2*time.Hour, time.Hour)},
		"a forgotten one comes up in the end": {waiting(20, 10*time.Hour, time.Hour), waiting(80, 0, 5*time.Minute)},
		"no priority at all still waits":      {waiting(0, time.Hour, time.Hour), waiting(0, 0, time.Hour)},
	} {
		if first, second := Rank(c.first, now), Rank(c.second, now); first <= second {
			t.Errorf("%s: got %.1f and %.1f, want the first higher", name, first, second)
		}
	}
}

func TestTheGravestAndNothingElseNeedsTwo(t *testing.T) {
	for severity, want := range map[int]int{0: 1, 3: 1, 4: 2} {
		if got := VotesFor(severity); got != want {
			t.Errorf("severity %d: got %d, want %d", severity, got, want)
		}
	}
}

func TestACaseAboutANoticeNeverLoosensWhatHolds(t *testing.T) {
	every := []pipeline.Action{Keep, pipeline.Allow, pipeline.Warn, pipeline.Blur, pipeline.Block}
	for _, tt := range []struct {
		kind Kind
		now  pipeline.Action
		want []pipeline.Action
	}{
		{KindNotice, pipeline.Block, []pipeline.Action{Keep, pipeline.Block}},
		{KindNotice, pipeline.Warn, []pipeline.Action{Keep, pipeline.Warn, pipeline.Blur, pipeline.Block}},
		{KindNotice, pipeline.Allow, every},
		{KindNotice, pipeline.Hold, every[1:]}, // it still waits for its end
		{KindAppeal, pipeline.Block, every[1:]},
		{KindVerdict, pipeline.Hold, every[1:]},
	} {
		for _, a := range every {
			if got := (Case{Kind: tt.kind}).Allows(a, tt.now); got != slices.Contains(tt.want, a) {
				t.Errorf("%s case while %s holds: got %s allowed %t", tt.kind, tt.now, a, got)
			}
		}
	}
}

func TestADecisionMustEndTheCase(t *testing.T) {
	for action, want := range map[pipeline.Action]bool{
		pipeline.Allow: true, pipeline.Warn: true, pipeline.Blur: true, pipeline.Block: true, Keep: true, pipeline.Hold: false, "": false, "shrug": false,
	} {
		if got := (Decision{Action: action}).Valid(); got != want {
			t.Errorf("%q: got %t, want %t", action, got, want)
		}
	}
}

func TestOnlyTwoRolesReview(t *testing.T) {
	for role, want := range map[Role]bool{RoleReviewer: true, Senior: true, Auditor: false, ML: false, Admin: false, "": false} {
		if got := role.MayReview(); got != want {
			t.Errorf("%q: got %t, want %t", role, got, want)
		}
		if got := role.Known(); got != (role != "") {
			t.Errorf("%q: got known %t", role, got)
		}
	}
}

func TestAReportsPriorityStaysInRange(t *testing.T) {
	for severity, want := range map[int]float64{-1: 0, 0: 0, 2: 40, 4: 80, 9: 80} {
		if got := PriorityOf(severity); got != want {
			t.Errorf("severity %d: got %.0f, want %.0f", severity, got, want)
		}
	}
}
