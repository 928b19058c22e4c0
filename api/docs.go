package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"sort"
	"strings"
)

//go:embed templates/docs.html
var docsTemplate string

//go:embed static/docs.css
var docsStyle string

// docsPage is the documentation, made once.
type docsPage struct {
	html   []byte
	policy string // content security policy: this style and nothing else
}

// docRoute is a route as the page shows it.
type docRoute struct {
	Method, Pattern, Anchor, Summary, More, Scope string
	Params                                        []docField
	Bodies                                        []docShape
	Answers                                       []docAnswer
}

type docShape struct {
	Content string
	Type    string
}

type docAnswer struct {
	Status int
	Doc    string
	Type   string
}

// docType is a JSON object as the page shows it.
type docType struct {
	Name   string
	Fields []docField
}

type docField struct {
	Name, Type, Doc, Ref string
	Must                 bool
}

func (a *API) page() (docsPage, error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return docsPage{}, err
	}
	types := map[string]docType{}
	var routes []docRoute
	for _, rt := range a.routes {
		routes = append(routes, describe(rt, types))
	}
	gather(reflect.TypeFor[Problem](), types)
	var list []docType
	for _, d := range types {
		list = append(list, d)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{"Version": a.Version, "Style": template.CSS(docsStyle), "Routes": routes, "Types": list})
	if err != nil {
		return docsPage{}, err
	}
	sum := sha256.Sum256([]byte(docsStyle))
	return docsPage{out.Bytes(), fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
		base64.StdEncoding.EncodeToString(sum[:]))}, nil
}

func describe(rt route, types map[string]docType) docRoute {
	d := docRoute{Method: rt.method, Pattern: rt.pattern, Anchor: operationID(rt), Summary: rt.summary, More: rt.more, Scope: string(rt.scope)}
	for _, p := range rt.query {
		d.Params = append(d.Params, docField{Name: p.name, Type: p.in, Doc: p.doc, Must: contains(rt.must, p.name)})
	}
	for _, b := range rt.in {
		name := "the file"
		if b.shape != nil {
			name = gather(reflect.TypeOf(b.shape), types)
		}
		d.Bodies = append(d.Bodies, docShape{b.content, name})
	}
	for _, a := range rt.out {
		name := ""
		if a.shape != nil && reflect.TypeOf(a.shape).Kind() == reflect.Struct {
			name = gather(reflect.TypeOf(a.shape), types)
		}
		d.Answers = append(d.Answers, docAnswer{a.status, a.doc, name})
	}
	return d
}

// gather notes a struct and those inside it, and returns its name.
func gather(t reflect.Type, types map[string]docType) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() == "time" {
		return ""
	}
	if _, ok := types[t.Name()]; ok {
		return t.Name()
	}
	types[t.Name()] = docType{Name: t.Name()}
	types[t.Name()] = docType{t.Name(), docFields(t, types)}
	return t.Name()
}

func docFields(t reflect.Type, types map[string]docType) (out []docField) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			out = append(out, docFields(f.Type, types)...)
		case f.IsExported() && name != "" && name != "-":
			out = append(out, docField{
				Name: name, Type: typeWord(f), Doc: f.Tag.Get("doc"), Ref: gather(f.Type, types), Must: f.Tag.Get("must") != "",
			})
		}
	}
	return out
}

// typeWord says in few words what a field holds.
func typeWord(f reflect.StructField) string {
	if v := f.Tag.Get("enum") + f.Tag.Get("each"); v != "" {
		return strings.ReplaceAll(v, ",", " | ")
	}
	t, word := f.Type, ""
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 {
			word = "list of "
		}
		if t.Elem().Kind() == reflect.Uint8 {
			return "object"
		}
		t = t.Elem()
	}
	switch {
	case t.PkgPath() == "time":
		return word + "time"
	case t.Kind() == reflect.Struct:
		return word + t.Name()
	case t.Kind() == reflect.Map:
		return "object"
	case t.Kind() == reflect.Array:
		return "list of 4 numbers"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return word + "whole number"
	case t.Kind() == reflect.Float64:
		return word + "number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	if most := f.Tag.Get("max"); most != "" {
		return word + "string, at most " + most + " characters"
	}
	return word + "string"
}

func (a *API) showDocs(c *call) error {
	c.w.Header().Set("Content-Security-Policy", a.docs.policy)
	c.send(http.StatusOK, "text/html; charset=utf-8", a.docs.html)
	return nil
}
