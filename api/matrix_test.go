package api

import (
	"strings"
	"testing"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

// bodies are good ones, so that only the key can be the reason for a refusal.
// A route with a body that is not here fails the test.
func (d *desk) goodBodies(item string) map[string][2]string {
	return map[string][2]string{
		"POST /v1/items":               {"application/json", nameless(message)},
		"POST /v1/items/batch":         {ndjson, nameless(message)},
		"POST /v1/uploads":             {"application/json", `{"content_type":"image/png","bytes":10,"sha256":"` + strings.Repeat("0", 64) + `"}`},
		"PUT /v1/uploads/{id}/content": {"image/png", "0123456789"},
		"POST /v1/reports":             {"application/json", `{"item_id":"` + item + `","reporter":"r"}`},
		"POST /v1/appeals":             {"application/json", `{"item_id":"` + item + `","by":"r"}`},
		"PUT /v1/accounts/{id}":        {"application/json", `{"age":9}`},
		"POST /v1/webhooks":            {"application/json", `{"url":"https://example.org/hook"}`},
	}
}

// queries are what a route must be asked with.
var queries = map[string]string{"GET /v1/words": "?key=selfharm.you_matter"}

// things makes one of everything that a path can name.
func (d *desk) things() map[string]string {
	d.t.Helper()
	item := decode[AcceptedView](d, d.ask("POST", "/v1/items", message), 202).ID
	up := decode[UploadView](d, d.ask("POST", "/v1/uploads", d.goodBodies("")["POST /v1/uploads"][1]), 201).UploadID
	hook := decode[WebhookView](d, d.ask("POST", "/v1/webhooks", `{"url":"https://example.org/hook"}`), 201).ID
	decode[AccountView](d, d.ask("PUT", "/v1/accounts/child-1", `{"age":9}`), 200)
	d.judge(item, pipeline.Allow)
	list := decode[DeliveriesView](d, d.ask("GET", "/v1/webhooks/"+hook+"/deliveries", ""), 200)
	if len(list.Deliveries) == 0 {
		d.t.Fatal("judging wrote no delivery")
	}
	return map[string]string{
		"/v1/items/{id}": item, "/v1/uploads/{id}/content": up, "/v1/accounts/{id}": "child-1",
		"/v1/webhooks/{id}": hook, "/v1/webhooks/{id}/rotate": hook, "/v1/webhooks/{id}/deliveries": hook,
		"/v1/deliveries/{id}": list.Deliveries[0].ID, "/v1/deliveries/{id}/replay": list.Deliveries[0].ID,
	}
}

func TestEveryRouteRefusesEveryKeyThatMayNot(t *testing.T) {
	d := open(t)
	things := d.things()
	item := things["/v1/items/{id}"]
	_, stranger := d.newTenant("second")
	scopes := []store.Scope{store.ScopeIngest, store.ScopeRead, store.ScopeReports, store.ScopeWebhooks, store.ScopeAccounts}
	keys := map[store.Scope]string{}
	for _, s := range scopes {
		keys[s] = d.newKey(store.APIKey{Tenant: d.tenant, Name: string(s), Scopes: []store.Scope{s}})
	}
	bodies := d.goodBodies(item)
	checked := 0
	for _, rt := range d.routes {
		name := rt.method + " " + rt.pattern
		path := rt.pattern
		if strings.Contains(path, "{id}") {
			id, ok := things[path]
			if !ok {
				t.Errorf("%s: the test has nothing that {id} can name", name)
				continue
			}
			path = strings.Replace(path, "{id}", id, 1)
		}
		body, ok := bodies[name]
		if len(rt.in) > 0 && !ok {
			t.Errorf("%s: the test has no body for it", name)
			continue
		}
		ask := func(authorization string) int {
			return d.ask(rt.method, path+queries[name], body[1], "Authorization", authorization, "Content-Type", body[0]).StatusCode
		}
		if rt.open {
			if got := ask(""); got >= 400 {
				t.Errorf("%s without a key: got %d of an open route", name, got)
			}
			continue
		}
		if rt.scope == "" {
			t.Errorf("%s has no scope", name)
		}
		expect := func(who, authorization string, want ...int) {
			checked++
			got := ask(authorization)
			for _, w := range want {
				if got == w {
					return
				}
			}
			t.Errorf("%s with %s: got %d, want %v", name, who, got, want)
		}
		expect("no key", "", 401)
		expect("a wrong key", "Bearer "+strings.Repeat("x", 43), 401)
		for _, s := range scopes {
			if s != rt.scope {
				expect("a key for "+string(s), "Bearer "+keys[s], 403)
			}
		}
		switch {
		case strings.Contains(rt.pattern, "{id}") && name != "PUT /v1/accounts/{id}":
			expect("another tenant's key", "Bearer "+stranger, 404)
		case name == "POST /v1/reports" || name == "POST /v1/appeals":
			expect("another tenant's key", "Bearer "+stranger, 422) // the body names the item
		}
	}
	if checked < 100 {
		t.Errorf("checked only %d", checked)
	}
	// what a stranger wrote under the same id is the stranger's
	d.bodyOf(d.ask("PUT", "/v1/accounts/child-1", `{"age":15}`, "Authorization", "Bearer "+stranger), 200)
	if got := decode[AccountView](d, d.ask("GET", "/v1/accounts/child-1", ""), 200); *got.Age != 9 {
		t.Errorf("got age %d after another tenant's PUT, want 9", *got.Age)
	}
	list := decode[ListView](d, d.ask("GET", "/v1/items", "", "Authorization", "Bearer "+stranger), 200)
	for _, it := range list.Items {
		if it.ID == item {
			t.Error("another tenant's list shows our item")
		}
	}
}

func TestEveryKeyOfItsTenantWithTheScopeGetsThrough(t *testing.T) {
	d := open(t)
	things := d.things()
	bodies := d.goodBodies(things["/v1/items/{id}"])
	for _, rt := range d.routes {
		if rt.open || rt.method == "DELETE" || rt.pattern == "/v1/uploads/{id}/content" {
			continue // the last one's content is tested with real files
		}
		key := d.newKey(store.APIKey{Tenant: d.tenant, Name: "one", Scopes: []store.Scope{rt.scope}})
		path := strings.Replace(rt.pattern, "{id}", things[rt.pattern], 1)
		body := bodies[rt.method+" "+rt.pattern]
		res := d.ask(rt.method, path+queries[rt.method+" "+rt.pattern], body[1], "Authorization", "Bearer "+key, "Content-Type", body[0])
		if res.StatusCode >= 300 && !(rt.pattern == "/v1/deliveries/{id}/replay" && res.StatusCode == 409) {
			t.Errorf("%s %s: got %d", rt.method, rt.pattern, res.StatusCode)
		}
	}
}
