package client_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"nightlight/api/client"
	"nightlight/pipeline"
)

// nightlight stands for a Nightlight in these examples.
func nightlight() *httptest.Server {
	mux := http.NewServeMux()
	judged := `{"id":"item_1","external_id":"m-1","state":"closed","received_at":"2026-05-04T16:20:00Z",
		"verdict":{"action":"allow","labels":[],"signals":[],"reasons":[],"interventions":[],"escalations":[],
		"policy_version":"1","models":[],"decided_at":"2026-05-04T16:20:00Z"}}`
	mux.HandleFunc("POST /v1/items", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Prefer") == "" {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"item_1","state":"pending","links":{"self":"/v1/items/item_1"}}`)
			return
		}
		_, _ = io.WriteString(w, judged)
	})
	mux.HandleFunc("GET /v1/items/item_1", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, judged) })
	return httptest.NewServer(mux)
}

// Send a message and wait a moment for its verdict.
func ExampleClient_Submit() {
	server := nightlight()
	defer server.Close()
	c := client.New(server.URL, "an API key")

	age := 11
	s, err := c.Submit(context.Background(), client.Item{
		ExternalID: "m-1", Kind: pipeline.KindMessage, Text: "see you at training",
		Sender: pipeline.Person{ID: "a1", Age: &age}, Recipients: []pipeline.Person{{ID: "b2"}},
	}, 5*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.State, s.Action())
	// Output: closed allow
}

// Send a photo with its item. Without a verdict yet, the action is hold.
func ExampleClient_SubmitMedia() {
	server := nightlight()
	defer server.Close()
	c := client.New(server.URL, "an API key")

	photo := strings.NewReader("the bytes of a photo")
	s, err := c.SubmitMedia(context.Background(), client.Item{
		ExternalID: "p-1", Kind: pipeline.KindPhoto, Sender: pipeline.Person{ID: "a1"},
	}, photo, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.State, s.Action())
	s, err = c.Wait(context.Background(), s.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.State, s.Action())
	// Output:
	// pending hold
	// closed allow
}

// Believe a webhook only after its signature was checked.
func ExampleVerifyWebhook() {
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("32 bytes that nobody else knows!"))
	http.HandleFunc("POST /nightlight", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			return
		}
		event, err := client.VerifyWebhook(r.Header, body, secret)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Println(event.ID, event.Type)
	})
	r := httptest.NewRequest("POST", "/nightlight", strings.NewReader(`{"type":"item.judged"}`))
	w := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, r) // nobody signed this one
	fmt.Println(w.Code)
	// Output: 401
}
