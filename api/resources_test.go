package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

func TestAReportOpensOneCaseByThePolicysSeverity(t *testing.T) {
	d := open(t)
	item := decode[AcceptedView](d, d.ask("POST", "/v1/items", message), 202).ID
	body := fmt.Sprintf(`{"item_id":%q,"reporter":"b2","label":"unsupported.gore","note":"it scared me"}`, item)
	first := decode[CaseView](d, d.ask("POST", "/v1/reports", body), 202)
	if second := decode[CaseView](d, d.ask("POST", "/v1/reports", body), 202); second != first || first.CaseID == "" || first.ItemID != item {
		t.Errorf("got %+v and %+v, want the same case", first, second)
	}
	user, err := d.Store.CreateUser(t.Context(), store.User{Tenant: d.tenant, Name: "senior", Role: review.Senior, PasswordHash: "none"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Store.Case(t.Context(), user.Reviewer(), first.CaseID)
	if err != nil || c.Kind != review.KindReport || c.Severity != d.Policy.Labels[pipeline.UnsupportedGore].Severity {
		t.Errorf("got case %+v, %v", c, err)
	}
	for body, field := range map[string]string{
		`{"item_id":"item_0","reporter":"b"}`:                                                   "item_id",
		`{"reporter":"b"}`:                                                                      "item_id",
		fmt.Sprintf(`{"item_id":%q}`, item):                                                     "reporter",
		fmt.Sprintf(`{"item_id":%q,"reporter":"b","label":"gore"}`, item):                       "label",
		fmt.Sprintf(`{"item_id":%q,"reporter":"b","label":"selfharm.Expressed"}`, item):         "label",
		fmt.Sprintf(`{"item_id":%q,"reporter":"b","note":%q}`, item, strings.Repeat("n", 2001)): "note",
	} {
		if got := fields(decode[Problem](d, d.ask("POST", "/v1/reports", body), 422)); got != field {
			t.Errorf("%.80s: got field %q, want %q", body, got, field)
		}
	}
}

func TestAnAppealNeedsAVerdict(t *testing.T) {
	d := open(t)
	item := decode[AcceptedView](d, d.ask("POST", "/v1/items", message), 202).ID
	body := fmt.Sprintf(`{"item_id":%q,"by":"a1","note":"it was a joke"}`, item)
	d.bodyOf(d.ask("POST", "/v1/appeals", body), 409)
	d.judge(item, pipeline.Block)
	first := decode[CaseView](d, d.ask("POST", "/v1/appeals", body), 202)
	if second := decode[CaseView](d, d.ask("POST", "/v1/appeals", body), 202); second != first {
		t.Errorf("got %+v, want %+v", second, first)
	}
	if got := fields(decode[Problem](d, d.ask("POST", "/v1/appeals", `{"item_id":"item_0","by":"a"}`), 422)); got != "item_id" {
		t.Errorf("got field %q, want item_id", got)
	}
}

func TestAnAccountIsToldShownReplacedAndErased(t *testing.T) {
	d := open(t)
	body := `{"birth_month":"2017-05","locale":"zh-CN","guardians":[{"id":"g1","relation":"mother","locale":"zh-CN",` +
		`"channels":[{"kind":"webhook","address":"https://example.org/g"},{"kind":"mail","address":"g1@example.org"},{"kind":"log"}],` +
		`"quiet_hours":{"from":"21:30","to":"07:00","zone":"Asia/Shanghai"}}]}`
	put := d.bodyOf(d.ask("PUT", "/v1/accounts/a1", body), 200)
	if got := d.bodyOf(d.ask("GET", "/v1/accounts/a1", ""), 200); got != put {
		t.Errorf("got %s from GET, want %s", got, put)
	}
	var shown, told map[string]any
	if json.Unmarshal([]byte(put), &shown) != nil || json.Unmarshal([]byte(body), &told) != nil {
		t.Fatalf("unreadable: %s", put)
	}
	for name, want := range told {
		if fmt.Sprint(shown[name]) != fmt.Sprint(want) {
			t.Errorf("got %s %v, want %v", name, shown[name], want)
		}
	}
	again := decode[AccountView](d, d.ask("PUT", "/v1/accounts/a1", `{"age":9}`), 200)
	if *again.Age != 9 || again.BirthMonth != "" || len(again.Guardians) != 0 {
		t.Errorf("got %+v, want only the age", again)
	}
	item := decode[AcceptedView](d, d.ask("POST", "/v1/items", message), 202).ID
	receipt := decode[ReceiptView](d, d.ask("DELETE", "/v1/accounts/a1", ""), 200)
	if receipt.ReceiptID == "" || receipt.AccountID != "a1" || receipt.ErasedItems != 1 || receipt.HeldItems != 0 {
		t.Errorf("got %+v", receipt)
	}
	if got := decode[ItemView](d, d.ask("GET", "/v1/items/"+item, ""), 200); got.State != store.Erased {
		t.Errorf("got state %s after the erasure", got.State)
	}
	if _, err := d.Store.Text(t.Context(), d.tenant, item); !errors.Is(err, store.ErrErased) {
		t.Errorf("got %v for the text, want it erased", err)
	}
	d.bodyOf(d.ask("GET", "/v1/accounts/a1", ""), 404)
	d.bodyOf(d.ask("PUT", "/v1/accounts/"+strings.Repeat("a", 129), `{"age":9}`), 404)
	d.bodyOf(d.ask("PUT", "/v1/accounts/a%2Fb%3F", `{"age":9}`), 200)
	if got := decode[AccountView](d, d.ask("GET", "/v1/accounts/a%2Fb%3F", ""), 200); got.ID != "a/b?" {
		t.Errorf("got id %q", got.ID)
	}
}

func TestBadAccountsAreRefusedByField(t *testing.T) {
	d := open(t)
	guardian := func(more string) string { return `{"guardians":[{"id":"g","relation":"aunt",` + more + `}]}` }
	for body, field := range map[string]string{
		`{"age":121}`:                                                                                      "age",
		`{"age":9,"birth_month":"2017-05"}`:                                                                "birth_month",
		`{"birth_month":"2017-13"}`:                                                                        "birth_month",
		`{"birth_month":"2017-5"}`:                                                                         "birth_month",
		`{"birth_month":"2999-01"}`:                                                                        "birth_month",
		`{"birth_month":"1817-01"}`:                                                                        "birth_month",
		`{"name":"` + canary + `"}`:                                                                        "name",
		`{"guardians":[{"id":"a1","relation":"self"}]}`:                                                    "guardians[0].id",
		`{"guardians":{}}`:                                                                                 "guardians",
		`{"guardians":[{"relation":"aunt"}]}`:                                                              "guardians[0].id",
		`{"guardians":[{"id":"g"}]}`:                                                                       "guardians[0].relation",
		guardian(`"locale":"english please"`):                                                              "guardians[0].locale",
		guardian(`"channels":[{"kind":"sms"}]`):                                                            "guardians[0].channels[0].kind",
		guardian(`"channels":[{"kind":"mail"}]`):                                                           "guardians[0].channels[0].address",
		guardian(`"channels":[{"kind":"mail","address":"A <a@example.org>"}]`):                             "guardians[0].channels[0].address",
		guardian(`"channels":[{"kind":"webhook","address":"http://example.org"}]`):                         "guardians[0].channels[0].address",
		guardian(`"channels":[{"kind":"webhook","address":"https://u:p@example.org"}]`):                    "guardians[0].channels[0].address",
		guardian(`"channels":[{"kind":"log","address":"` + canary + `"}]`):                                 "guardians[0].channels[0].address",
		guardian(`"quiet_hours":{"from":"21:30"}`):                                                         "guardians[0].quiet_hours.to",
		guardian(`"quiet_hours":{"from":"25:00","to":"07:00"}`):                                            "guardians[0].quiet_hours.from",
		guardian(`"quiet_hours":{"from":"21:30","to":"7:00"}`):                                             "guardians[0].quiet_hours.to",
		guardian(`"quiet_hours":{"from":"21:30","to":"07:00","zone":"../../etc/passwd"}`):                  "guardians[0].quiet_hours.zone",
		`{"guardians":[{"id":"g","relation":"aunt"},{"id":"g","relation":"uncle"}]}`:                       "guardians[1].id",
		`{"guardians":[` + strings.Repeat(`{"id":"g","relation":"a"},`, 8) + `{"id":"h","relation":"a"}]}`: "guardians[1].id guardians[2].id guardians[3].id guardians[4].id guardians[5].id guardians[6].id guardians[7].id guardians",
	} {
		if got := fields(decode[Problem](d, d.ask("PUT", "/v1/accounts/a1", body), 422)); got != field {
			t.Errorf("%.90s: got field %q, want %q", body, got, field)
		}
	}
	if strings.Contains(d.log.String(), canary) {
		t.Error("the log holds what was sent")
	}
}

func TestAWebhookIsMadeRotatedAndStopped(t *testing.T) {
	d := open(t)
	made := decode[WebhookView](d, d.ask("POST", "/v1/webhooks", `{"url":"https://example.org/hook","events":["item.judged"]}`), 201)
	if !strings.HasPrefix(made.Secret, "whsec_") || !slices.Equal(made.Events, []string{"item.judged"}) {
		t.Errorf("got %+v", made)
	}
	for _, path := range []string{"/v1/webhooks", "/v1/webhooks/" + made.ID} {
		if got := d.bodyOf(d.ask("GET", path, ""), 200); strings.Contains(got, "whsec_") || !strings.Contains(got, made.ID) {
			t.Errorf("%s: got %s", path, got)
		}
	}
	turned := decode[SecretView](d, d.ask("POST", "/v1/webhooks/"+made.ID+"/rotate", ""), 200)
	e, err := d.Store.Endpoint(t.Context(), d.tenant, made.ID)
	if err != nil || !slices.Equal(e.Secrets, []string{turned.Secret, made.Secret}) {
		t.Errorf("got %d secrets, %v, want the new one and the one before", len(e.Secrets), err)
	}
	d.bodyOf(d.ask("DELETE", "/v1/webhooks/"+made.ID, ""), 204)
	list := decode[WebhooksView](d, d.ask("GET", "/v1/webhooks", ""), 200)
	if len(list.Webhooks) != 1 || list.Webhooks[0].DisabledAt == nil || list.Webhooks[0].DisabledWhy != "asked" {
		t.Errorf("got %+v", list)
	}
	for body, field := range map[string]string{
		`{"url":"http://example.org"}`:      "url",
		`{"url":"https://u:p@example.org"}`: "url",
		`{"url":"file:///etc/passwd"}`:      "url",
		`{"url":"` + canary + `"}`:          "url",
		`{}`:                                "url",
		`{"url":"https://example.org","events":["item.*"]}`:                    "events[0]",
		`{"url":"https://example.org","events":["item.judged","item.judged"]}`: "events[1]",
		`{"url":"https://example.org","events":"item.judged"}`:                 "events",
		`{"url":"https://example.org","secret":"` + canary + `"}`:              "secret",
	} {
		if got := fields(decode[Problem](d, d.ask("POST", "/v1/webhooks", body), 422)); got != field {
			t.Errorf("%s: got field %q, want %q", body, got, field)
		}
	}
}

func TestATenantMayHaveTwentyWebhooksAndIsToldSo(t *testing.T) {
	d := open(t)
	const body = `{"url":"https://example.org/hook"}`
	first := decode[WebhookView](d, d.ask("POST", "/v1/webhooks", body), 201).ID
	for range 19 {
		d.bodyOf(d.ask("POST", "/v1/webhooks", body), 201)
	}
	if no := decode[Problem](d, d.ask("POST", "/v1/webhooks", body), 409); !strings.Contains(no.Detail, "20 webhooks") {
		t.Errorf("got %q, want how many there may be", no.Detail)
	}
	d.bodyOf(d.ask("DELETE", "/v1/webhooks/"+first, ""), 204)
	d.bodyOf(d.ask("POST", "/v1/webhooks", body), 201)
}

func TestADeliveryIsShownWithItsTriesAndReplayed(t *testing.T) {
	d := open(t)
	hook := decode[WebhookView](d, d.ask("POST", "/v1/webhooks", `{"url":"https://example.org/hook"}`), 201).ID
	item := decode[AcceptedView](d, d.ask("POST", "/v1/items", message), 202).ID
	d.judge(item, pipeline.Allow)
	list := decode[DeliveriesView](d, d.ask("GET", "/v1/webhooks/"+hook+"/deliveries?state=pending", ""), 200)
	if len(list.Deliveries) != 1 || list.Deliveries[0].ItemID != item || list.Deliveries[0].Event != store.EventJudged {
		t.Fatalf("got %+v", list)
	}
	id := list.Deliveries[0].ID
	d.bodyOf(d.ask("POST", "/v1/deliveries/"+id+"/replay", ""), 409)
	lease, err := d.Store.ClaimDelivery(t.Context(), id, "test", 1e9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.RecordAttempt(t.Context(), lease, store.Attempt{Channel: "webhook", StatusCode: 500, ErrorClass: "status"}); err != nil {
		t.Fatal(err)
	}
	dead := decode[DeliveryView](d, d.ask("GET", "/v1/deliveries/"+id, ""), 200)
	if dead.State != store.DeliveryDead || len(dead.Tries) != 1 || dead.Tries[0].StatusCode != 500 || strings.Contains(string(dead.Payload), "training") {
		t.Errorf("got %+v with %s", dead, dead.Payload)
	}
	if again := decode[DeliveryView](d, d.ask("POST", "/v1/deliveries/"+id+"/replay", ""), 202); again.State != store.DeliveryPending || again.ID != id {
		t.Errorf("got %+v", again)
	}
	d.bodyOf(d.ask("DELETE", "/v1/webhooks/"+hook, ""), 204) // which gives up what is on its way
	if no := decode[Problem](d, d.ask("POST", "/v1/deliveries/"+id+"/replay", ""), 409); !strings.Contains(no.Detail, "deleted") {
		t.Errorf("got %q, want the reason why it cannot go out again", no.Detail)
	}
	if got := fields(decode[Problem](d, d.ask("GET", "/v1/webhooks/"+hook+"/deliveries?state=lost", ""), 422)); got != "state" {
		t.Errorf("got field %q, want state", got)
	}
}

func TestAReportAboutSomethingGraveIsDueAsSoonAsThatAndNotByItsOwnMildLabel(t *testing.T) {
	d := open(t)
	item := decode[AcceptedView](d, d.ask("POST", "/v1/items", message), 202).ID
	lease, err := d.Store.Claim(t.Context(), item, store.StageJudge, "test")
	if err != nil {
		t.Fatal(err)
	}
	v := pipeline.Verdict{Action: pipeline.Block, PolicyVersion: "test", Labels: []pipeline.LabelScore{{Label: pipeline.GroomingMeeting, Score: .99, Severity: 4}}}
	if _, err := d.Store.Commit(t.Context(), lease, store.Outcome{Verdict: v}); err != nil {
		t.Fatal(err)
	}
	about := decode[CaseView](d, d.ask("POST", "/v1/reports", fmt.Sprintf(`{"item_id":%q,"reporter":"b2","label":"spam.flood"}`, item)), 202)
	user, err := d.Store.CreateUser(t.Context(), store.User{Tenant: d.tenant, Name: "senior", Role: review.Senior, PasswordHash: "none"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Store.Case(t.Context(), user.Reviewer(), about.CaseID)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Deadline.Sub(c.OpenedAt), time.Duration(d.Policy.Deadlines[4]); got != want || c.Severity != 4 {
		t.Errorf("got severity %d and a first look within %s, want 4 and %s", c.Severity, got, want)
	}
}
