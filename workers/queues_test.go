package workers

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

// The store names its queues by itself; these are the ones that are served.
func TestWebhooksLettersAndUrgentLettersGoIntoQueuesOfTheirOwn(t *testing.T) {
	ctx := t.Context()
	ring, err := media.NewKeyring("test", map[string][]byte{"test": make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	st := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "record.db"), store.Options{Keyring: media.NewVault(ring)})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tenant, err := st.CreateTenant(ctx, "t")
	must(err)
	_, err = st.CreateEndpoint(ctx, store.Endpoint{Tenant: tenant.ID, URL: "https://example.org/", Secrets: []string{"whsec_a"}}, "test")
	must(err)
	a, err := st.Accept(ctx, store.NewItem{Queue: queue.QueueText, Item: pipeline.Item{
		Tenant: tenant.ID, ExternalID: "m-1", Kind: pipeline.KindMessage, Text: "hello", Audience: pipeline.AudienceDirect, SentAt: time.Now(),
		Sender: pipeline.Person{ID: "a"}, Recipients: []pipeline.Person{{ID: "b"}},
	}})
	must(err)
	lease, err := st.Claim(ctx, a.ID, store.StageJudge, "test")
	must(err)
	_, err = st.Commit(ctx, lease, store.Outcome{
		Verdict: pipeline.DefaultPolicy().Judge(lease.Item, pipeline.Findings{Models: []pipeline.ModelRef{{Name: "test"}}}, time.Now()),
		Notices: []review.Notice{{To: "guardian", Recipient: "mum", Child: "b", TextKey: "bullying", Urgency: pipeline.Soon},
			{To: "guardian", Recipient: "mum", Child: "b", TextKey: "meeting", Urgency: pipeline.Urgent}},
	})
	must(err)
	tasks, err := st.PendingTasks(ctx, 10)
	must(err)
	var got []string
	for _, k := range tasks {
		got = append(got, k.Stage+" "+k.Queue)
	}
	slices.Sort(got)
	if want := []string{"deliver " + queue.QueueEffects, "notify " + queue.QueueNotices, "notify " + queue.QueueUrgentNotices}; !slices.Equal(got, want) {
		t.Errorf("got queues %v, want %v", got, want)
	}
}
