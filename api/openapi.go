package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"nightlight/pipeline"
)

// document is the OpenAPI 3.1 document of the route table. Shapes come from
// the Go types that handlers read and write: json tags name fields; must, doc,
// max (characters), least, most (of a number, or elements of a list), enum and
// each (of a list) say the rest.
func (a *API) document() ([]byte, error) {
	g := schemas{made: map[string]any{}}
	paths := map[string]map[string]any{}
	for _, rt := range a.routes {
		if paths[rt.pattern] == nil {
			paths[rt.pattern] = map[string]any{}
		}
		paths[rt.pattern][strings.ToLower(rt.method)] = g.operation(rt)
	}
	g.of(reflect.TypeFor[Problem]())
	doc := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Nightlight", "version": a.Version,
			"description": "Takes what children send, judges it and answers with a verdict. Errors are RFC 9457 problems that name fields and never quote values.",
		},
		"paths": paths,
		"components": map[string]any{
			"schemas":         g.made,
			"securitySchemes": map[string]any{"key": map[string]any{"type": "http", "scheme": "bearer"}},
		},
	}
	return json.MarshalIndent(doc, "", "  ")
}

// schemas gathers one schema for each named type.
type schemas struct{ made map[string]any }

func (g schemas) operation(rt route) map[string]any {
	op := map[string]any{"summary": rt.summary, "operationId": operationID(rt), "responses": g.responses(rt)}
	if rt.more != "" {
		op["description"] = rt.more
	}
	switch {
	case rt.open:
		op["security"] = []any{}
	case rt.token:
		op["security"] = []any{map[string]any{"key": []any{}}, map[string]any{}}
	default:
		op["security"] = []any{map[string]any{"key": []any{}}}
		op["x-scope"] = rt.scope
	}
	if p := parameters(rt); len(p) > 0 {
		op["parameters"] = p
	}
	if len(rt.in) > 0 {
		op["requestBody"] = map[string]any{"required": true, "content": g.contents(rt.in)}
	}
	return op
}

// operationID is the method and the path in words.
func operationID(rt route) string {
	id := strings.ToLower(rt.method)
	for part := range strings.FieldsFuncSeq(rt.pattern, func(r rune) bool { return !letter(r) && !digit(r) }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

func parameters(rt route) []any {
	var out []any
	if strings.Contains(rt.pattern, "{id}") {
		out = append(out, map[string]any{"name": "id", "in": "path", "required": true, "schema": map[string]any{"type": "string", "maxLength": maxID}})
	}
	for _, p := range rt.query {
		schema := p.schema
		if schema == nil {
			schema = map[string]any{"type": "string", "maxLength": maxID}
		}
		told := map[string]any{"name": p.name, "in": p.in, "description": p.doc, "schema": schema}
		if contains(rt.must, p.name) {
			told["required"] = true
		}
		out = append(out, told)
	}
	return out
}

func (g schemas) contents(in []body) map[string]any {
	out := map[string]any{}
	for _, b := range in {
		var schema any = map[string]any{}
		switch {
		case b.content == "multipart/form-data":
			schema = map[string]any{
				"type": "object", "required": []string{"item", "file"}, "additionalProperties": false,
				"properties": map[string]any{"item": g.of(reflect.TypeOf(b.shape)), "file": map[string]any{"type": "string", "format": "binary"}},
			}
		case b.shape != nil:
			schema = g.of(reflect.TypeOf(b.shape))
		}
		out[b.content] = map[string]any{"schema": schema}
	}
	return out
}

func (g schemas) responses(rt route) map[string]any {
	out := map[string]any{}
	for _, a := range rt.out {
		r := map[string]any{"description": a.doc}
		content := a.content
		def(&content, "application/json")
		switch {
		case a.shape != nil:
			r["content"] = map[string]any{content: map[string]any{"schema": g.of(reflect.TypeOf(a.shape))}}
		case a.status >= 400:
			r["content"] = problemContent()
		}
		out[strconv.Itoa(a.status)] = r
	}
	for _, status := range problemsOf(rt) {
		out[strconv.Itoa(status)] = map[string]any{"description": http.StatusText(status), "content": problemContent()}
	}
	return out
}

func problemContent() map[string]any {
	return map[string]any{"application/problem+json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Problem"}}}
}

// problemsOf lists the statuses that a route may refuse with.
func problemsOf(rt route) []int {
	if rt.open {
		return nil
	}
	list := []int{401, 403, 429, 503}
	if strings.Contains(rt.pattern, "{id}") {
		list = append(list, 404)
	}
	if len(rt.in) > 0 {
		list = append(list, 400, 413, 415)
	}
	if len(rt.in) > 0 || len(rt.query) > 0 {
		list = append(list, 422)
	}
	return list
}

// of returns the schema of a type; structs are made once and referred to.
func (g schemas) of(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": g.of(t.Elem())}
	case reflect.Array:
		return map[string]any{"type": "array", "items": g.of(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return map[string]any{"type": "object"}
		}
		return map[string]any{"type": "object", "additionalProperties": g.of(t.Elem())}
	case reflect.Struct:
		return g.object(t)
	}
	panic(fmt.Sprintf("no schema for %s", t)) // a test makes the document, so this cannot ship
}

func (g schemas) object(t reflect.Type) map[string]any {
	if _, ok := g.made[t.Name()]; !ok {
		schema := map[string]any{"type": "object"}
		g.made[t.Name()] = schema // before its fields, which may refer to it
		properties, required := map[string]any{}, []string{}
		g.fields(t, properties, &required)
		schema["properties"] = properties
		if len(required) > 0 {
			schema["required"] = required
		}
		if strings.HasSuffix(t.Name(), "Body") {
			schema["additionalProperties"] = false
		}
	}
	return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
}

func (g schemas) fields(t reflect.Type, properties map[string]any, required *[]string) {
	ours := t.PkgPath() == reflect.TypeFor[API]().PkgPath()
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			g.fields(f.Type, properties, required)
			continue
		case !f.IsExported() || name == "-" || name == "":
			continue
		}
		properties[name] = g.property(f)
		if f.Tag.Get("must") != "" || !ours && !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}

// property is a field's schema with what its tags add.
func (g schemas) property(f reflect.StructField) map[string]any {
	s := g.of(f.Type)
	if doc := f.Tag.Get("doc"); doc != "" {
		s["description"] = doc // beside $ref too, which OpenAPI 3.1 allows
	}
	number := func(tag, name string) {
		if v, err := strconv.Atoi(f.Tag.Get(tag)); err == nil {
			s[name] = v
		}
	}
	number("max", "maxLength")
	number("least", "minimum")
	if f.Type.Kind() == reflect.Slice {
		number("most", "maxItems")
	} else {
		number("most", "maximum")
	}
	if v := f.Tag.Get("enum"); v != "" {
		s["enum"] = strings.Split(v, ",")
	}
	if v := f.Tag.Get("each"); v != "" {
		s["items"] = map[string]any{"type": "string", "enum": strings.Split(v, ",")}
	}
	if f.Type == reflect.TypeFor[pipeline.Label]() {
		s["enum"] = pipeline.Labels()
	}
	if f.Type == reflect.TypeFor[pipeline.Action]() && s["enum"] == nil {
		s["enum"] = pipeline.Actions
	}
	return s
}

func (a *API) showOpenAPI(c *call) error {
	c.send(http.StatusOK, "application/json", a.openapi)
	return nil
}
