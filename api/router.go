package api

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"nightlight/queue/store"
)

// route is one call of the API: how it is reached, who may, what runs, and
// what its documentation says.
type route struct {
	method  string
	pattern string // such as /v1/items/{id}
	scope   store.Scope
	open    bool // needs no key
	token   bool // an upload's token does instead of a key
	slow    time.Duration
	serve   func(*call) error

	summary string
	more    string   // more words for the documentation
	query   []param  // also headers
	must    []string // names in query that must be given
	in      []body
	out     []answer
}

// param is a query parameter or header in the documentation.
type param struct {
	name, in, doc string
	schema        map[string]any
}

// body is one content type that goes in, shaped like a Go value.
type body struct {
	content string
	shape   any
}

// answer is one status that comes out. A nil shape has no body.
type answer struct {
	status  int
	doc     string
	content string // application/json when empty
	shape   any
}

// find sets the call's route and path parameter, or answers 404 or 405.
func (a *API) find(c *call) error {
	parts := strings.Split(c.r.URL.EscapedPath(), "/")
	var allow []string
	for i := range a.routes {
		rt := &a.routes[i]
		value, ok := matches(rt.pattern, parts)
		if !ok {
			continue
		}
		if rt.method != c.r.Method && !(rt.method == http.MethodGet && c.r.Method == http.MethodHead) {
			allow = append(allow, rt.method)
			continue
		}
		c.route = rt
		return c.named(value)
	}
	if len(allow) == 0 {
		return notFound()
	}
	p := problem(http.StatusMethodNotAllowed, "method", "Method not allowed", "")
	p.allow = strings.Join(allow, ", ")
	return p
}

// named unescapes the path's parameter. What cannot be an id of ours or of a
// backend is not found.
func (c *call) named(escaped string) error {
	if !strings.Contains(c.route.pattern, "{") {
		return nil
	}
	id, err := url.PathUnescape(escaped)
	if err != nil || !printable(id) {
		return notFound()
	}
	c.param = id
	return nil
}

// matches compares a path part by part; value is what stands for {…}.
func matches(pattern string, parts []string) (value string, ok bool) {
	for i, part := range parts {
		want, rest, more := strings.Cut(pattern, "/")
		if strings.HasPrefix(want, "{") {
			value = part
			ok = part != ""
		} else {
			ok = part == want
		}
		if !ok || more != (i < len(parts)-1) {
			return "", false
		}
		pattern = rest
	}
	return value, true
}

// queries reads the query strictly: only known names, each once.
func (c *call) queries(known ...string) (map[string]string, error) {
	if c.r.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, invalidField("query", "malformed")
	}
	out := map[string]string{}
	var errs []FieldError
	for name, v := range values {
		switch {
		case !contains(known, name):
			errs = append(errs, FieldError{safeName([]byte(name)), "unknown parameter"})
		case len(v) > 1:
			errs = append(errs, FieldError{name, "is there twice"})
		case v[0] == "": // as not given: the first page has no cursor yet
		case !printable(v[0]):
			errs = append(errs, FieldError{name, "want at most 128 printable ASCII characters"})
		default:
			out[name] = v[0]
		}
	}
	if len(errs) > 0 {
		return nil, invalid(errs...)
	}
	return out, nil
}

func contains(list []string, v string) bool {
	for _, have := range list {
		if have == v {
			return true
		}
	}
	return false
}
