package pipeline

import (
	"errors"
	"strings"
	"testing"
)

func TestTheDefaultPolicyHasARuleForEveryLabelOfTheTaxonomy(t *testing.T) {
	p, err := ParsePolicy(defaultPolicy)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(p.Labels), len(Labels()); got != want {
		t.Errorf("rules: got %d, want %d", got, want)
	}
	if len(TextLabels) != 30 {
		t.Errorf("text labels: got %d, want 30", len(TextLabels))
	}
}

func TestAPolicyMistakeIsNamedByLineAndField(t *testing.T) {
	base := string(defaultPolicy)
	_, spam, _ := strings.Cut(base, "  spam.flood:")
	spamActs := spam[strings.Index(spam, "    act:"):strings.Index(spam, "    hear:")]
	tests := []struct {
		name, old, new, field, reason string
	}{
		{"an unknown field", "    peers: 0.", "    peer: 0.", "peer", "unknown field"},
		{"an unknown label", "  spam.flood:", "  spam.flud:", "labels.spam.flud", "no label"},
		{"a missing label", "  spam.flood:", "  spam.flud:", "labels.spam.flood", "no rule"},
		{"a threshold above one", `"3-7": 0.6, "8-11": 0.6, "12-14": 0.6, "15-17": 0.6, "adult": 0.8`, `"3-7": 0.6, "8-11": 0.6, "12-14": 0.6, "15-17": 0.6, "adult": 1.8`, "labels.spam.flood.act.warn.adult", "score"},
		{"a threshold that is no number", `"3-7": 0.6, "8-11": 0.6, "12-14": 0.6, "15-17": 0.6, "adult": 0.8`, `"3-7": 0.6, "8-11": 0.6, "12-14": 0.6, "15-17": 0.6, "adult": .nan`, "labels.spam.flood.act.warn.adult", "score"},
		{"a factor between peers that is no number", "    peers: 0.", "    peers: .nan # 0.", "labels.grooming.age_probe.peers", "0..1"},
		{"a label whose findings all pass", spamActs, "    act: {}\n", "labels.spam.flood.act", "no action"},
		{"a fault that allows", "fault: {action: hold", "fault: {action: allow", "fault.action", "never lets"},
		{"a severity of nine", "severity: 0", "severity: 9", "labels.spam.flood.severity", "0..4"},
		{"a hold that nobody looks at", "      - {who: reviewer, urgency: routine, from: hold}\n  unsupported.gore", "      - {who: guardian, urgency: routine, from: hold}\n  unsupported.gore", "labels.spam.flood", "no reviewer"},
		{"word to guardians that waits for nobody", "      - {who: reviewer, urgency: soon, from: warn}\n      - {who: reviewer, urgency: urgent, from: hold}\n      - {who: guardian, urgency: urgent, from: warn, after: review}", "      - {who: reviewer, urgency: urgent, from: hold}\n      - {who: guardian, urgency: urgent, from: warn, after: review}", "labels.sexual.extortion.hear.1", "no reviewer hears of warn"},
		{"guardians of a stranger", "{who: guardian, of: recipient,", "{who: guardian, of: stranger,", "labels.selfharm.encouraged.hear.2.of", "sender or recipient"},
		{"reviewers of somebody", "{who: guardian, of: recipient,", "{who: reviewer, of: recipient,", "labels.selfharm.encouraged.hear.2.of", "of a guardian"},
		{"broken YAML", "labels:\n", "labels: [\n", "document", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(base, tt.old, tt.new, 1)
			if text == base {
				t.Fatal("the replacement does not apply")
			}
			_, err := ParsePolicy([]byte(text))
			var pe *PolicyError
			if !errors.As(err, &pe) {
				t.Fatalf("got %v, want a PolicyError", err)
			}
			for _, m := range pe.Mistakes {
				if m.Field == tt.field && strings.Contains(m.Reason, tt.reason) {
					if m.Line < 1 || m.Line > strings.Count(text, "\n")+1 {
						t.Errorf("line %d is outside the file", m.Line)
					}
					return
				}
			}
			t.Errorf("got %v, want field %s with %q", pe, tt.field, tt.reason)
		})
	}
}

func TestWordToGuardiansMayBeginBelowWhatReviewersHearOfWhereNothingHappensThere(t *testing.T) {
	old := "      - {who: reviewer, urgency: urgent, from: hold}\n    interventions:\n      - {to: sender, kind: warning, text_key: privacy.others, from: hold}"
	text := strings.Replace(string(defaultPolicy), old, "      - {who: guardian, urgency: soon, from: warn, after: review}\n"+old, 1)
	if text == string(defaultPolicy) {
		t.Fatal("the replacement does not apply")
	}
	if _, err := ParsePolicy([]byte(text)); err != nil {
		t.Errorf("got %v for a label that does nothing milder than hold, want a policy", err)
	}
}

func TestTheLineOfAMistakeIsTheLineOfItsField(t *testing.T) {
	text := strings.Replace(string(defaultPolicy), "severity: 0", "severity: 9", 1)
	want := strings.Count(text[:strings.Index(text, "severity: 9")], "\n") + 1
	_, err := ParsePolicy([]byte(text))
	var pe *PolicyError
	if !errors.As(err, &pe) || len(pe.Mistakes) != 1 {
		t.Fatalf("got %v, want one mistake", err)
	}
	if got := pe.Mistakes[0].Line; got != want {
		t.Errorf("line: got %d, want %d", got, want)
	}
}

func FuzzParsePolicyNeverPanics(f *testing.F) {
	f.Add(defaultPolicy)
	f.Add([]byte("labels: {a: *b}"))
	f.Add([]byte("version: 1\n---\nversion: 2"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text)
		if (p == nil) == (err == nil) {
			t.Errorf("policy %v with error %v", p, err)
		}
	})
}
