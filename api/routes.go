package api

import (
	"net/http"
	"time"

	"nightlight/queue/store"
)

// table is every route. Its order is that of the documentation.
func (a *API) table() []route {
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	oneJSON := func(shape any) []body { return []body{{"application/json", shape}} }
	gives := func(status int, doc string, shape any) []answer {
		return []answer{{status: status, doc: doc, shape: shape}}
	}
	limit := param{"limit", "query", "How many on one page (default 100).", map[string]any{"type": "integer", "minimum": 1, "maximum": 1000}}
	cursor := param{"cursor", "query", "The next of the page before.", nil}
	idempotency := param{"Idempotency-Key", "header", "Send the same key again and the same item is answered, never a second one.", nil}
	return []route{
		{
			method: post, pattern: "/v1/items", scope: store.ScopeIngest, slow: 5 * time.Minute, serve: a.postItem,
			summary: "Accept one item",
			more: "It is answered after the item is durable. The same external_id or Idempotency-Key with the same content gives the same answer, " +
				"with other content 422. As multipart/form-data it carries its file along.",
			query: []param{
				idempotency,
				{"Prefer", "header", "wait=N waits up to N seconds (at most 10) for the verdict.", map[string]any{"type": "string", "examples": []string{"wait=5"}}},
			},
			in: []body{{"application/json", ItemBody{}}, {"multipart/form-data", ItemBody{}}},
			out: []answer{
				{status: 202, doc: "Accepted.", shape: AcceptedView{}},
				{status: 200, doc: "Accepted, and judged in the time that you would wait.", shape: ItemView{}},
			},
		},
		{
			method: post, pattern: "/v1/items/batch", scope: store.ScopeIngest, slow: 2 * time.Minute, serve: a.postBatch,
			summary: "Accept up to 1,000 items, one a line",
			more:    "Each line is answered on a line of its own, in order; one that is refused stops no other.",
			query:   []param{idempotency},
			in:      []body{{ndjson, ItemBody{}}},
			out:     []answer{{200, "One line for each item.", ndjson, BatchLine{}}},
		},
		{
			method: get, pattern: "/v1/items/{id}", scope: store.ScopeRead, serve: a.getItem,
			summary: "Show one item and its verdict",
			out:     gives(200, "The item.", ItemView{}),
		},
		{
			method: get, pattern: "/v1/items", scope: store.ScopeRead, serve: a.listItems,
			summary: "List items, newest first",
			query: []param{
				{"state", "query", "Only items in this state.", map[string]any{"type": "string", "enum": []string{"pending", "judged", "in_review", "closed", "quarantined", "erased"}}},
				{"external_id", "query", "Only the item with this id of the backend's.", nil},
				{"sender", "query", "Only items that this account sent.", nil},
				{"conversation_id", "query", "Only items of this conversation.", nil},
				cursor, limit,
			},
			out: gives(200, "One page.", ListView{}),
		},
		{
			method: post, pattern: "/v1/uploads", scope: store.ScopeIngest, serve: a.postUpload,
			summary: "Make room for a photo, video or voice note",
			more: "Send the file with the method, headers and URL of the answer, then name upload_id in an item. " +
				"Size, SHA-256 and type are checked against the content.",
			in:  oneJSON(UploadBody{}),
			out: gives(201, "Where the file goes.", UploadView{}),
		},
		{
			method: put, pattern: "/v1/uploads/{id}/content", scope: store.ScopeIngest, token: true, slow: 5 * time.Minute, serve: a.putContent,
			summary: "Send an upload's file",
			more:    "Only where clients cannot put into the bucket by themselves. The upload's X-Upload-Token does instead of an API key.",
			query:   []param{{uploadToken, "header", "As the upload's headers say.", nil}},
			in:      []body{{"application/octet-stream", nil}},
			out:     []answer{{status: 204, doc: "The file is durable."}, {status: 409, doc: "It has its content already, or it has expired."}},
		},
		{
			method: post, pattern: "/v1/reports", scope: store.ScopeReports, serve: a.postReport,
			summary: "Flag an item, as a child or guardian asked",
			in:      oneJSON(ReportBody{}),
			out:     gives(202, "A person will look.", CaseView{}),
		},
		{
			method: post, pattern: "/v1/appeals", scope: store.ScopeReports, serve: a.postAppeal,
			summary: "Ask for another look at a verdict",
			in:      oneJSON(AppealBody{}),
			out:     append(gives(202, "A person will look.", CaseView{}), answer{status: 409, doc: "The item has no verdict yet."}),
		},
		{
			method: get, pattern: "/v1/words", scope: store.ScopeRead, serve: a.getWords,
			summary: "Show what a child is told, for an age and a locale",
			more: "Interventions carry the same, by the age and locale of their reader (of several, the youngest). " +
				"Ask here for each of several readers, or for a screen of your own.",
			must: []string{"key"},
			query: []param{
				{"key", "query", "The text_key of an intervention.", map[string]any{"type": "string", "enum": a.Words.Keys()}},
				{"locale", "query", "A BCP 47 language tag. Chinese for zh and all that begins with it, English for any other and for none; numbers by country where we list them.",
					map[string]any{"type": "string", "maxLength": 64}},
				{"age", "query", "In whole years; one that is not given counts as policy counts it, 8 to 11.", map[string]any{"type": "integer", "minimum": 0, "maximum": maxAge}},
			},
			out: gives(200, "The words, and the numbers that go with them.", WordsView{}),
		},
		{
			method: put, pattern: "/v1/accounts/{id}", scope: store.ScopeAccounts, serve: a.putAccount,
			summary: "Tell an account's age, language and guardians",
			in:      oneJSON(AccountBody{}),
			out:     gives(200, "The account as it is now.", AccountView{}),
		},
		{
			method: get, pattern: "/v1/accounts/{id}", scope: store.ScopeAccounts, serve: a.getAccount,
			summary: "Show an account",
			out:     gives(200, "The account.", AccountView{}),
		},
		{
			method: del, pattern: "/v1/accounts/{id}", scope: store.ScopeAccounts, serve: a.deleteAccount,
			summary: "Erase an account and what it sent",
			more: "The keys under which it was stored are destroyed, except for what is under a legal hold. " +
				"503 says that not all of it is done in one go: the same again goes on, and its receipt is of the whole. " +
				"Once it is done the same again has the same receipt, for 30 days.",
			out: gives(200, "What was erased.", ReceiptView{}),
		},
		{
			method: post, pattern: "/v1/webhooks", scope: store.ScopeWebhooks, serve: a.postWebhook,
			summary: "Hear of events",
			in:      oneJSON(WebhookBody{}),
			out:     append(gives(201, "The endpoint, with its secret this once.", WebhookView{}), answer{status: 409, doc: "There are " + itoa(store.MostEndpoints) + " already, the most that a tenant may have. What was deleted or answered 410 does not count."}),
		},
		{
			method: get, pattern: "/v1/webhooks", scope: store.ScopeWebhooks, serve: a.listWebhooks,
			summary: "List endpoints",
			out:     gives(200, "All endpoints.", WebhooksView{}),
		},
		{
			method: get, pattern: "/v1/webhooks/{id}", scope: store.ScopeWebhooks, serve: a.getWebhook,
			summary: "Show an endpoint",
			out:     gives(200, "The endpoint.", WebhookView{}),
		},
		{
			method: del, pattern: "/v1/webhooks/{id}", scope: store.ScopeWebhooks, serve: a.deleteWebhook,
			summary: "Stop an endpoint",
			out:     []answer{{status: 204, doc: "Nothing more is sent to it."}},
		},
		{
			method: post, pattern: "/v1/webhooks/{id}/rotate", scope: store.ScopeWebhooks, serve: a.rotateSecret,
			summary: "Make a new signing secret",
			more:    "Events are signed with the new and the one before, until the next rotation.",
			out:     gives(200, "The secret, this once.", SecretView{}),
		},
		{
			method: get, pattern: "/v1/webhooks/{id}/deliveries", scope: store.ScopeWebhooks, serve: a.listDeliveries,
			summary: "List what went or goes to an endpoint",
			query: []param{
				{"state", "query", "Only deliveries in this state.", map[string]any{"type": "string", "enum": []string{"waiting", "pending", "done", "dead", "cancelled"}}},
				cursor, limit,
			},
			out: gives(200, "One page, newest first.", DeliveriesView{}),
		},
		{
			method: get, pattern: "/v1/deliveries/{id}", scope: store.ScopeWebhooks, serve: a.getDelivery,
			summary: "Show a delivery with its tries",
			out:     gives(200, "The delivery.", DeliveryView{}),
		},
		{
			method: post, pattern: "/v1/deliveries/{id}/replay", scope: store.ScopeWebhooks, serve: a.replay,
			summary: "Send a delivery once more, under the same id",
			out:     append(gives(202, "It will be sent again.", DeliveryView{}), answer{status: 409, doc: "It is still on its way, or its webhook was deleted or answered 410."}),
		},
		{
			method: get, pattern: "/healthz", open: true, serve: a.healthz,
			summary: "Is the process alive?",
			out:     gives(200, "It is.", StatusView{}),
		},
		{
			method: get, pattern: "/readyz", open: true, serve: a.readyz,
			summary: "Can it work?",
			out: append(gives(200, "It can.", ReadyView{}),
				answer{status: 503, doc: "Something is missing.", shape: ReadyView{}}),
		},
		{
			method: get, pattern: "/metrics", open: true, serve: a.showMetrics,
			summary: "Metrics for Prometheus",
			out:     []answer{{200, "Metrics.", "text/plain", ""}},
		},
		{
			method: get, pattern: "/openapi.json", open: true, serve: a.showOpenAPI,
			summary: "This document",
			out:     []answer{{200, "OpenAPI 3.1.", "application/json", map[string]any{}}},
		},
		{
			method: get, pattern: "/docs", open: true, serve: a.showDocs,
			summary: "The documentation, as a page",
			out:     []answer{{200, "The page.", "text/html", ""}},
		},
		{
			method: get, pattern: "/", open: true, serve: a.home,
			summary: "The way to the console, or to the documentation",
			out:     []answer{{status: 302, doc: "Look there."}},
		},
	}
}

// home leads people to the console and everybody else to the documentation.
func (a *API) home(c *call) error {
	to := "/docs"
	if a.Console != nil {
		to = "/console/"
	}
	http.Redirect(c.w, c.r, to, http.StatusFound)
	return nil
}
