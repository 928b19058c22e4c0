package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

func TestTheOpenAPIDocumentIsTheGoldenOne(t *testing.T) {
	d := open(t, func(s *Settings) { s.Version = "test" })
	got := d.bodyOf(d.ask("GET", "/openapi.json", "", "Authorization", ""), 200) + "\n"
	const name = "testdata/openapi.json"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the document differs from %s; renew it with -update and read the diff", name)
	}
}

func TestTheDocumentTellsEveryRouteAndNoOther(t *testing.T) {
	d := open(t)
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(d.openapi, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("got version %s", doc.OpenAPI)
	}
	told, ids := 0, map[string]bool{}
	for _, methods := range doc.Paths {
		for _, op := range methods {
			told++
			if ids[op.OperationID] {
				t.Errorf("operationId %s is there twice", op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	if told != len(d.routes) {
		t.Errorf("got %d operations, want %d", told, len(d.routes))
	}
	for _, rt := range d.routes {
		if _, ok := doc.Paths[rt.pattern][strings.ToLower(rt.method)]; !ok {
			t.Errorf("%s %s is not told", rt.method, rt.pattern)
		}
		if rt.summary == "" || len(rt.out) == 0 {
			t.Errorf("%s %s has no summary or answer", rt.method, rt.pattern)
		}
	}
	for ref := range strings.SplitSeq(string(d.openapi), `"$ref": "#/components/schemas/`) {
		name, _, ok := strings.Cut(ref, `"`)
		if ok && !strings.HasPrefix(ref, "{") && doc.Components.Schemas[name] == nil {
			t.Errorf("schema %s is referred to and not there", name)
		}
	}
}

// names are the fields of a scanner's table and which must be there.
func names[T any](table []field[T]) (all, must []string) {
	for _, f := range table {
		all = append(all, f.name)
		if f.must {
			must = append(must, f.name)
		}
	}
	slices.Sort(all)
	slices.Sort(must)
	return all, must
}

func TestTheDocumentTellsExactlyTheFieldsThatAreRead(t *testing.T) {
	check := func(shape any, all, must []string) {
		t.Helper()
		typ := reflect.TypeOf(shape)
		g := schemas{made: map[string]any{}}
		g.of(typ)
		schema := g.made[typ.Name()].(map[string]any)
		var told []string
		for name := range schema["properties"].(map[string]any) {
			told = append(told, name)
		}
		required, _ := schema["required"].([]string)
		slices.Sort(told)
		required = slices.Sorted(slices.Values(required))
		if !slices.Equal(told, all) || !slices.Equal(required, must) || schema["additionalProperties"] != false {
			t.Errorf("%s: the document tells %v (must: %v), the scanner reads %v (must: %v)", typ.Name(), told, required, all, must)
		}
	}
	run(check, ItemBody{}, itemFields)
	run(check, PersonBody{}, personFields)
	run(check, UploadBody{}, uploadFields)
	run(check, ReportBody{}, reportFields)
	run(check, AppealBody{}, appealFields)
	run(check, AccountBody{}, accountFields)
	run(check, GuardianBody{}, guardianFields)
	run(check, ChannelBody{}, channelFields)
	run(check, QuietBody{}, quietFields)
	run(check, WebhookBody{}, webhookFields)
}

func run[T any](check func(shape any, all, must []string), shape T, table []field[T]) {
	all, must := names(table)
	check(shape, all, must)
}

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	d := open(t)
	res := d.ask("GET", "/docs", "", "Authorization", "")
	page := d.bodyOf(res, 200)
	for _, bad := range []string{"http://", "https://", "<script", "src=", "ZgotmplZ", "@import", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	for _, rt := range d.routes {
		if !strings.Contains(page, rt.method+" "+rt.pattern) {
			t.Errorf("the page does not tell %s %s", rt.method, rt.pattern)
		}
	}
	if !bytes.Contains(d.docs.html, []byte("<style>"+docsStyle+"</style>")) {
		t.Error("the style is not what the policy's hash is of")
	}
	if !strings.Contains(res.Header.Get("Content-Security-Policy"), "style-src 'sha256-") {
		t.Errorf("got policy %s", res.Header.Get("Content-Security-Policy"))
	}
}
