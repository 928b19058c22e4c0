package review

import (
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

func TestSevereOrIrreversibleNeedsTwo(t *testing.T) {
	for _, c := range []struct {
		severity     int
		irreversible bool
		want         int
	}{{0, false, 1}, {3, false, 1}, {4, false, 2}, {0, true, 2}} {
		if got := VotesFor(c.severity, c.irreversible); got != c.want {
			t.Errorf("severity %d, irreversible %t: got %d, want %d", c.severity, c.irreversible, got, c.want)
		}
	}
}

func TestADecisionMustEndTheItem(t *testing.T) {
	for action, want := range map[pipeline.Action]bool{
		pipeline.Allow: true, pipeline.Warn: true, pipeline.Blur: true, pipeline.Block: true, pipeline.Hold: false, "": false, "shrug": false,
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
