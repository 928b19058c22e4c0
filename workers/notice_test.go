package workers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
	"nightlight/queue/store"
	"nightlight/workers/notify"
)

// letters sends what is due and returns it.
func (b *bench) letters(t *testing.T) []notify.Message {
	t.Helper()
	b.pass(time.Minute)
	sent := &takes{}
	b.Notifier = notify.Channels{"log": sent}
	due, err := b.Store.DueDeliveries(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		if err := b.Notice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	return sent.got
}

// bound gives a child one guardian, who reads a language.
func (b *bench) bound(t *testing.T, child, guardianID, locale string) {
	t.Helper()
	g := guardian(guardianID)
	g.Locale = locale
	if err := b.Store.PutAccount(t.Context(), b.tenant, store.Account{ID: child, Age: years(9), Locale: "zh-CN", Guardians: []store.Guardian{g}}); err != nil {
		t.Fatal(err)
	}
}

func TestALetterSaysWhatBecameOfTheMessage(t *testing.T) {
	says := func(score float64) fake { return says(pipeline.GroomingMeeting, score) }
	for name, c := range map[string]struct {
		text   fake
		action pipeline.Action
		en, zh string
	}{
		"it was delivered and stays so":  {says(.7), pipeline.Warn, "The message was delivered, so your child may have seen it.", "消息已经送达，孩子可能已经看到。"},
		"it was delivered and taken off": {says(.7), pipeline.Block, "The message was delivered at first and stopped later, so your child may have seen it.", "消息曾经送达，后来被拦下，孩子可能已经看到。"},
		"it was held and then delivered": {says(.99), pipeline.Blur, "The message was delivered, so your child may have seen it.", "消息已经送达，孩子可能已经看到。"},
		"it was held and never went out": {says(.99), pipeline.Block, "The message was stopped.", "消息已被拦下。"},
	} {
		for locale, want := range map[string]string{"en": c.en, "zh-CN": c.zh} {
			t.Run(name+" "+locale, func(t *testing.T) {
				b := newBench(t, c.text)
				b.Quiet = QuietHours{From: "x"} // none
				b.bound(t, "friend", "mum", locale)
				if err := b.Judge(t.Context(), b.accept(t, pipeline.Item{Sender: pipeline.Person{ID: "x", Age: years(40)}})); err != nil {
					t.Fatal(err)
				}
				for _, who := range []string{"r1", "r2"} { // severity 4: two must agree
					b.votes(t, who, c.action, nil)
				}
				got := b.letters(t)
				if len(got) != 1 || !strings.Contains(got[0].Text, "\n\n"+want+"\n\n") {
					t.Errorf("got %+v, want one letter that says %q", got, want)
				}
			})
		}
	}
}

func TestTheLetterIsAboutTheLabelsThatReviewersLeaveOn(t *testing.T) {
	b := newBench(t, fake{"fake", func(context.Context, pipeline.Text) ([]pipeline.Signal, error) {
		return []pipeline.Signal{{Label: pipeline.SelfharmEncouraged, Score: .92, Source: "fake@1"}, {Label: pipeline.BullyingThreat, Score: .9, Source: "fake@1"}}, nil
	}})
	b.Quiet = QuietHours{From: "x"} // none
	b.bound(t, "friend", "mum", "en")
	b.bound(t, "child", "dad", "en") // who sent it
	if err := b.Judge(t.Context(), b.accept(t, pipeline.Item{})); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"r1", "r2"} {
		b.votes(t, who, pipeline.Block, []pipeline.Label{pipeline.SelfharmEncouraged})
	}
	got := b.letters(t)
	if len(got) != 1 || got[0].Guardian != "mum" || got[0].Key != "bullying" || !strings.Contains(got[0].Text, "threatened") || strings.Contains(got[0].Text, "urged") {
		t.Errorf("got %+v, want one letter about the threat, to who was threatened", got)
	}
}

func TestOnlyAChildWhoWasShownHelpIsSaidToHaveBeen(t *testing.T) {
	for label, helped := range map[pipeline.Label]bool{pipeline.SelfharmExpressed: true, pipeline.GroomingMeeting: false} {
		b := newBench(t, says(label, .99))
		b.Quiet = QuietHours{From: "x"} // none
		b.bound(t, "child", "mum", "en")
		id := b.accept(t, pipeline.Item{})
		if err := b.Judge(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		it := b.item(t, id)
		letter, _ := b.Words.ForGuardian("selfharm", "en")
		text := b.Words.Render(letter, "en", words.FateOf(it.Verdict, it.Action, true))
		if got := strings.Contains(text, letter.Done.Helped); got != helped {
			t.Errorf("%s: got said %t, want %t", label, got, helped)
		}
	}
}

func TestALetterIsInTheLanguageOfTheChildWhereTheGuardianToldNone(t *testing.T) {
	for locale, want := range map[string]string{"": "请平静地", "en": "calmly"} {
		t.Run(fmt.Sprintf("%q", locale), func(t *testing.T) {
			b := newBench(t, says(pipeline.SexualExplicit, .6))
			b.Quiet = QuietHours{From: "x"} // none
			b.bound(t, "friend", "mum", locale)
			if err := b.Judge(t.Context(), b.accept(t, pipeline.Item{Sender: pipeline.Person{ID: "x", Age: years(40)}})); err != nil {
				t.Fatal(err)
			}
			for _, who := range []string{"r1", "r2"} {
				decide(t, b, who)
			}
			if got := b.letters(t); len(got) != 1 || !strings.Contains(got[0].Text, want) {
				t.Errorf("got %+v, want a letter with %q", got, want)
			}
		})
	}
}
