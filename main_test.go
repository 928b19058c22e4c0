package main

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

func TestWordToAGuardianAndWebhooksGoIntoQueuesOfTheirOwn(t *testing.T) {
	ctx := t.Context()
	st, _, err := openRecord(ctx, dataFlags{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
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
		Notices: []review.Notice{{To: "guardian", Recipient: "mum", Child: "b", TextKey: "bullying", Urgency: pipeline.Soon}},
	})
	must(err)
	tasks, err := st.PendingTasks(ctx, 10)
	must(err)
	got := map[string]string{}
	for _, k := range tasks {
		got[k.Stage] = k.Queue
	}
	if got[store.StageNotify] != queue.QueueNotices || got[store.StageDeliver] != queue.QueueEffects {
		t.Errorf("got queues %v, want notices apart from webhooks", got)
	}
}

func TestTheAddressOfWhoLogsInComesFromATrustedProxyAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		trusted []string
		want    string
	}{
		"no proxy is trusted":   {nil, "10.1.0.7"},
		"another one is":        {[]string{"10.2.0.0/16"}, "10.1.0.7"},
		"the one in between is": {[]string{"10.2.0.0/16", "10.1.0.7/32"}, "198.51.100.1"},
	} {
		r := httptest.NewRequest("GET", "/console/login", nil)
		r.RemoteAddr = "10.1.0.7:4711"
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		h := &house{flags: serveFlags{TrustedProxy: tt.trusted}}
		if got := h.consoleSettings().Address(r); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestATrustedProxyThatIsNoNetworkIsWrongUse(t *testing.T) {
	t.Setenv("NIGHTLIGHT_TRUSTED_PROXY", "127.0.0.0/8,proxy.example")
	if got := run(context.Background(), []string{"api", "--data", t.TempDir()}); got != exitWrongUse {
		t.Errorf("got exit code %d, want %d", got, exitWrongUse)
	}
}
