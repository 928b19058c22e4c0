package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// picture is a made-up photo of the tenant's: its file by a name, and its PDQ.
type picture struct {
	sender, file string
	pdq          []byte
	caption      string
}

// pdqBent is one made hash with some bits turned, all in different words.
func pdqBent(bits int) []byte {
	h := bytes.Repeat([]byte{0xa5, 0x3c}, 16)
	for i := range bits {
		h[(i*4)%32] ^= 1 << (i / 8)
	}
	return h
}

func fileHash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// sent accepts and judges a picture.
func (w *world) sent(p picture, v pipeline.Verdict, notices ...review.Notice) (string, store.Committed) {
	w.Helper()
	return w.sentAs(p, func(*pipeline.Item) {}, v, notices...)
}

// sentAs is sent with other people or another audience.
func (w *world) sentAs(p picture, as func(*pipeline.Item), v pipeline.Verdict, notices ...review.Notice) (string, store.Committed) {
	w.Helper()
	u, err := w.CreateUpload(w.Context(), store.Upload{Tenant: w.tenant, ContentType: "image/jpeg", Bytes: 10, SHA256: fileHash(p.file)}, time.Hour)
	w.must(err)
	w.must(w.UploadStored(w.Context(), w.tenant, u.ID))
	n := w.message(p.caption)
	n.Kind, n.UploadID, n.Sender.ID = pipeline.KindPhoto, u.ID, p.sender
	as(&n.Item)
	id := w.accept(n)
	print := &store.Print{SHA256: fileHash(p.file), Models: "m1", PDQ: p.pdq, Quality: 90, Alone: p.caption == "", Scores: `{}`}
	return id, w.commit(w.claim(id), store.Outcome{Verdict: v, Notices: notices, Print: print})
}

func heldFor(reason string, severity int) pipeline.Verdict {
	v := held(severity)
	v.Reasons = []string{reason}
	return v
}

const ground = "sexual.explicit 0.90 ≥ 0.50 for youngest aged 8-11 → hold"

func (w *world) decide(r review.Reviewer, a pipeline.Action, tell bool) string {
	w.Helper()
	c, l, err := w.NextCase(w.Context(), r)
	w.must(err)
	_, err = w.Decide(w.Context(), r, review.Decision{CaseID: c.ID, Token: l.Token, Action: a, Reason: "agree", NotifyGuardians: tell})
	w.must(err)
	return c.ID
}

func TestTheSameFileReachesAReviewerOnceAndTheDecisionGoesForEachItem(t *testing.T) {
	for _, action := range []pipeline.Action{pipeline.Allow, pipeline.Block} {
		both(t, func(w *world) {
			r := w.user("rae", review.RoleReviewer)
			first, one := w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
			second, two := w.sent(picture{"ben", "f", pdqBent(0), ""}, heldFor(ground, 2))
			if one.CaseID != two.CaseID || two.State != store.InReview || w.item(second).CaseID != one.CaseID {
				w.Fatalf("got cases %s and %s, item's %s, want one", one.CaseID, two.CaseID, w.item(second).CaseID)
			}
			copies, err := w.Copies(w.Context(), r, one.CaseID)
			w.must(err)
			if len(copies) != 1 || copies[0] != (store.Copy{ItemID: second, SameFile: true}) {
				w.Errorf("got copies %+v", copies)
			}
			w.well()
			w.decide(r, action, false)
			for _, id := range []string{first, second} {
				if it := w.item(id); it.State != store.Closed || it.Ending != store.EndResolved || it.Action != action {
					w.Errorf("got %s %s %s, want resolved and %s", it.State, it.Ending, it.Action, action)
				}
				if d := w.item(id).Decision; d == nil || d.Action != action || !d.At.Equal(w.clock.now()) {
					w.Errorf("got decision %+v of %s, want %s now", d, id, action)
				}
			}
			if _, _, err := w.NextCase(w.Context(), r); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("another case waits: %v", err)
			}
			log, err := w.AuditLog(w.Context(), w.tenant, 0, 100)
			w.must(err)
			var acts []string
			for _, e := range log {
				if e.Subject == second {
					acts = append(acts, e.Act)
				}
			}
			if !slices.Equal(acts, []string{"case.join", "case.decide_copy"}) {
				w.Errorf("the copy's audit trail is %v", acts)
			}
			w.well()
		})
	}
}

func TestANearPictureSharesABlockAndNothingMilder(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rae", review.RoleReviewer)
		_, one := w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
		near, two := w.sent(picture{"ben", "g", pdqBent(store.Near), ""}, heldFor(strings.Replace(ground, "0.90", "0.88", 1), 2))
		if one.CaseID != two.CaseID {
			w.Fatalf("got two cases for a picture %d bits away", store.Near)
		}
		w.decide(r, pipeline.Allow, false)
		it := w.item(near)
		if it.State != store.InReview || it.CaseID == one.CaseID {
			w.Fatalf("got %s in case %s, want the copy in review in a case of its own", it.State, it.CaseID)
		}
		w.well()
		w.decide(r, pipeline.Block, false)

		_, three := w.sent(picture{"mia", "h", pdqBent(0), ""}, heldFor(ground, 2))
		again, four := w.sent(picture{"ben", "i", pdqBent(3), ""}, heldFor(ground, 2))
		if three.CaseID != four.CaseID {
			w.Fatal("got two cases")
		}
		w.decide(r, pipeline.Block, false)
		if it := w.item(again); it.State != store.Closed || it.Action != pipeline.Block {
			w.Errorf("got %s %s, want the copy blocked", it.State, it.Action)
		}
		w.well()
	})
}

func TestWhatSetsAnUploadApartGetsItACaseOfItsOwn(t *testing.T) {
	other := heldFor(strings.Replace(ground, "8-11", "3-7", 1), 2)
	both(t, func(w *world) {
		w.clock.pass(time.Second)
		_, one := w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
		waits := review.Notice{To: "guardian", Recipient: "mum", Child: "ben", TextKey: "k", Urgency: pipeline.Soon, After: "review"}
		for name, send := range map[string]func() store.Committed{
			"a caption": func() store.Committed {
				_, c := w.sent(picture{"ben", "f", pdqBent(0), "look"}, heldFor(ground, 2))
				return c
			},
			"a younger child": func() store.Committed { _, c := w.sent(picture{"ben", "f", pdqBent(0), ""}, other); return c },
			"a picture too far": func() store.Committed {
				_, c := w.sent(picture{"ben", "g", pdqBent(store.Near + 1), ""}, heldFor(ground, 2))
				return c
			},
			"guardians not asked": func() store.Committed {
				_, c := w.sent(picture{"ben", "f", pdqBent(0), ""}, heldFor(ground, 2), waits)
				return c
			},
			"bytes not to be open": func() store.Committed {
				v := heldFor(ground, 2)
				v.Quarantine = true
				_, c := w.sent(picture{"ben", "f", pdqBent(0), ""}, v)
				return c
			},
		} {
			if c := send(); c.CaseID == one.CaseID {
				w.Errorf("%s: it joined the case", name)
			}
		}
		w.well()
	})
}

func TestWhatMayPassBetweenTwoChildrenIsNotSaidOfOtherPeopleNorBeforeOthers(t *testing.T) {
	both(t, func(w *world) {
		w.clock.pass(time.Second)
		w.must(w.PutAccount(w.Context(), w.tenant, store.Account{ID: "told", Age: age(11)}))
		w.must(w.PutAccount(w.Context(), w.tenant, store.Account{ID: "grown", Age: age(40)}))
		r := w.user("rae", review.RoleReviewer)
		first, one := w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
		as := func(who string, people func(*pipeline.Item)) (string, store.Committed) {
			return w.sentAs(picture{who, "f", pdqBent(0), ""}, people, heldFor(ground, 2))
		}
		apart := map[string]string{}
		for name, people := range map[string]func(*pipeline.Item){
			"a stranger who is grown up":          func(it *pipeline.Item) { it.Sender.Age = age(40) },
			"a stranger of unknown age":           func(it *pipeline.Item) { it.Sender.Age = nil },
			"one whose account says grown up":     func(it *pipeline.Item) { it.Sender = pipeline.Person{ID: "grown"} },
			"to a grown-up":                       func(it *pipeline.Item) { it.Recipients[0].Age = age(40) },
			"to a younger child":                  func(it *pipeline.Item) { it.Recipients[0].Age = age(6) },
			"to a stranger as well":               func(it *pipeline.Item) { it.Recipients = append(it.Recipients, pipeline.Person{ID: "x"}) },
			"before a group":                      func(it *pipeline.Item) { it.Audience = pipeline.AudienceGroup },
			"before everybody":                    func(it *pipeline.Item) { it.Audience = pipeline.AudiencePublic },
			"before everybody, to nobody by name": func(it *pipeline.Item) { it.Audience, it.Recipients = pipeline.AudiencePublic, nil },
		} {
			id, c := as("ben", people)
			if c.CaseID == one.CaseID {
				w.Errorf("%s: it joined the case of two children", name)
			}
			apart[name] = id
		}
		copied, two := as("told", func(it *pipeline.Item) { it.Sender.Age, it.Recipients[0].Age = nil, age(8) })
		if two.CaseID != one.CaseID {
			w.Error("another child to another child: it got a case of its own")
		}
		_, l, err := w.ClaimCase(w.Context(), r, one.CaseID)
		w.must(err)
		_, err = w.Decide(w.Context(), r, review.Decision{CaseID: one.CaseID, Token: l.Token, Action: pipeline.Allow, Reason: "agree"})
		w.must(err)
		for _, id := range []string{first, copied} {
			if it := w.item(id); it.Action != pipeline.Allow {
				w.Errorf("got %s between two children, want it allowed", it.Action)
			}
		}
		for name, id := range apart {
			if it := w.item(id); it.State != store.InReview || it.Action != pipeline.Hold {
				w.Errorf("%s: got %s %s, want it to wait for a person", name, it.State, it.Action)
			}
		}
		w.well()
	})
}

func TestEachItemsOwnGuardiansHearByTheDecision(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rae", review.RoleReviewer)
		to := func(who, child string) review.Notice {
			return review.Notice{To: "guardian", Recipient: who, Child: child, TextKey: "k", Urgency: pipeline.Soon, After: "review"}
		}
		_, one := w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2), to("mum-of-mia", "mia"))
		with, two := w.sent(picture{"ben", "f", pdqBent(0), ""}, heldFor(ground, 2), to("dad-of-ben", "ben"))
		without, three := w.sent(picture{"eve", "f", pdqBent(0), ""}, heldFor(ground, 2)) // her guardian takes part
		if one.CaseID != two.CaseID || one.CaseID != three.CaseID {
			w.Fatal("got more than one case")
		}
		w.well()
		w.decide(r, pipeline.Block, true)
		w.clock.pass(time.Minute)
		tasks, err := w.PendingTasks(w.Context(), 100)
		w.must(err)
		told := map[string]int{}
		for _, k := range tasks {
			if k.Stage != store.StageNotify {
				continue
			}
			d, err := w.ClaimDelivery(w.Context(), k.Ref, "w", time.Minute)
			w.must(err)
			told[d.Delivery.ItemID+d.Delivery.Recipient]++
		}
		if len(told) != 2 || told[with+"dad-of-ben"] != 1 {
			w.Errorf("got %v, want each item's own guardian once, and nobody for %s", told, without)
		}
	})
}

func TestUndoBringsTheCopiesBack(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rae", review.RoleReviewer)
		first, _ := w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
		second, _ := w.sent(picture{"ben", "f", pdqBent(0), ""}, heldFor(ground, 2))
		id := w.decide(r, pipeline.Block, false)
		lease, err := w.Undo(w.Context(), r, id)
		w.must(err)
		for _, item := range []string{first, second} {
			if it := w.item(item); it.State != store.InReview || it.Action != pipeline.Hold {
				w.Errorf("got %s %s, want it in review and held again", it.State, it.Action)
			}
		}
		w.well()
		_, err = w.Decide(w.Context(), r, review.Decision{CaseID: id, Token: lease.Token, Action: pipeline.Allow, Reason: "context"})
		w.must(err)
		if it := w.item(second); it.State != store.Closed || it.Action != pipeline.Allow {
			w.Errorf("got %s %s, want the new decision", it.State, it.Action)
		}
		w.well()
	})
}

func TestErasingTheFirstLeavesItsCopiesWithAReviewer(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rae", review.RoleReviewer)
		_, _ = w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
		second, _ := w.sent(picture{"ben", "f", pdqBent(0), ""}, heldFor(ground, 2))
		_, err := w.EraseAccount(w.Context(), w.tenant, "mia", "test")
		w.must(err)
		w.well()
		w.decide(r, pipeline.Block, false)
		if it := w.item(second); it.State != store.Closed || it.Action != pipeline.Block {
			w.Errorf("got %s %s", it.State, it.Action)
		}
		w.well()
	})
}

func TestScoresAreFoundByFileByNearPictureAndOnlyOfTheSameModels(t *testing.T) {
	both(t, func(w *world) {
		id, _ := w.sent(picture{"mia", "f", pdqBent(0), ""}, allowed())
		p, err := w.PrintOf(w.Context(), w.tenant, fileHash("f"), "m1")
		w.must(err)
		if p.ItemID != id || p.Scores != "{}" || !p.Alone || p.Quality != 90 {
			w.Errorf("got %+v", p)
		}
		for name, look := range map[string]func() error{
			"other models":   func() error { _, err := w.PrintOf(w.Context(), w.tenant, fileHash("f"), "m2"); return err },
			"another tenant": func() error { _, err := w.PrintOf(w.Context(), "x", fileHash("f"), "m1"); return err },
			"another file":   func() error { _, err := w.PrintOf(w.Context(), w.tenant, fileHash("g"), "m1"); return err },
		} {
			if err := look(); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("%s: got %v", name, err)
			}
		}
		for bits, want := range map[int]int{0: 1, 1: 1, store.Near: 1, store.Near + 1: 0} {
			list, err := w.NearPrints(w.Context(), w.tenant, pdqBent(bits), "m1")
			w.must(err)
			if len(list) != want || want == 1 && list[0].Distance != bits {
				w.Errorf("%d bits away: got %+v, want %d", bits, list, want)
			}
		}
		_, err = w.EraseAccount(w.Context(), w.tenant, "mia", "test")
		w.must(err)
		if _, err := w.PrintOf(w.Context(), w.tenant, fileHash("f"), "m1"); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("after erasing: got %v", err)
		}
		if list, err := w.NearPrints(w.Context(), w.tenant, pdqBent(0), "m1"); err != nil || len(list) != 0 {
			w.Errorf("after erasing: got %+v, %v", list, err)
		}
	})
}
