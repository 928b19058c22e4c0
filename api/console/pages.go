package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages holds every page in every language, and the static files.
type pages struct {
	byLang map[string]map[string]*template.Template
	words  map[string]catalogue
	static map[string]asset
}

// asset is a static file; its version is part of its address, so that it may
// be kept for ever.
type asset struct {
	body    []byte
	version string
	mime    string
}

func openPages() (*pages, error) {
	p := &pages{byLang: map[string]map[string]*template.Template{}, words: map[string]catalogue{}, static: map[string]asset{}}
	if err := p.openStatic(); err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, lang := range languages {
		words, err := openCatalogue(lang)
		if err != nil {
			return nil, err
		}
		p.words[lang] = words
		p.byLang[lang] = map[string]*template.Template{}
		shared, err := template.New("").Funcs(p.funcs(words, lang)).ParseFS(templateFiles, "templates/_*.html")
		if err != nil {
			return nil, fmt.Errorf("shared templates: %w", err)
		}
		for _, name := range names {
			base := strings.TrimSuffix(path.Base(name), ".html")
			if strings.HasPrefix(base, "_") {
				continue
			}
			t, err := shared.Clone()
			if err == nil {
				t, err = t.ParseFS(templateFiles, name)
			}
			if err != nil {
				return nil, fmt.Errorf("template %s: %w", base, err)
			}
			p.byLang[lang][base] = t
		}
	}
	return p, nil
}

func (p *pages) openStatic() error {
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	return fs.WalkDir(staticFiles, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		p.static[path.Base(name)] = asset{body, hex.EncodeToString(sum[:6]), types[path.Ext(name)]}
		return nil
	})
}

// funcs are what templates may call. Every sentence comes through t.
func (p *pages) funcs(words catalogue, lang string) template.FuncMap {
	return template.FuncMap{
		"t":     words.say,
		"label": func(l pipeline.Label) (string, error) { return words.say("label." + string(l)) },
		"asset": func(name string) (string, error) {
			a, ok := p.static[name]
			if !ok {
				return "", fmt.Errorf("no static file %q", name)
			}
			return "/console/static/" + name + "?v=" + a.version, nil
		},
		"span":    words.span,
		"years":   func(age *int) (string, error) { return words.say("age.years", *age) },
		"htmlTag": func() string { return map[string]string{"zh": "zh-CN", "en": "en"}[lang] },
		"stamp":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") },
		"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"effect":  func(e string) string { what, _, _ := strings.Cut(strings.TrimPrefix(e, "notice:"), ":"); return what }, // not the child's id behind it
		"second":  func(at *float64) string { return second(*at) },
		"percent": func(f float64) int { return int(f*100 + 0.5) },
		"digit":   func(i int) int { return i + 1 },
		"face":    face,
		"minutes": func(seconds int) int { return max(seconds, -seconds) / 60 },
	}
}

// face shows seconds to a deadline, or since, as the script's clock does: 4:05
// or 1:04:05.
func face(seconds int) string {
	n := max(seconds, -seconds)
	if n >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", n/3600, n/60%60, n%60)
	}
	return fmt.Sprintf("%d:%02d", n/60, n%60)
}

// span says a duration in one unit, rounded down: 3 min, 2 h.
func (c catalogue) span(d time.Duration) (string, error) {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return c.say("span.s", int(d/time.Second))
	case d < time.Hour:
		return c.say("span.m", int(d/time.Minute))
	case d < 48*time.Hour:
		return c.say("span.h", int(d/time.Hour))
	}
	return c.say("span.d", int(d/(24*time.Hour)))
}

// frame is what every page has around its own part.
type frame struct {
	Page    string
	Lang    string
	Other   string // the language to switch to
	Path    string
	Form    string
	User    store.User
	Version string // of the policy
	Nav     []navLink
	Body    any
}

type navLink struct {
	Path, Key string
	Here      bool
}

// nav lists the doors that the visitor's role may open.
func (c *Console) nav(v *visit) (links []navLink) {
	if !v.loggedIn() {
		return nil
	}
	for _, l := range []navLink{
		{Path: "/console/{$}", Key: "nav.home"}, {Path: "/console/cases", Key: "nav.cases"}, {Path: "/console/audit", Key: "nav.audit"},
		{Path: "/console/users", Key: "nav.users"}, {Path: "/console/health", Key: "nav.health"},
	} {
		for _, r := range c.routes {
			if r.path == l.Path && r.method == http.MethodGet && r.access.allows(v.user().Role) {
				l.Path = strings.TrimSuffix(l.Path, "{$}")
				l.Here = l.Path == v.r.URL.Path
				links = append(links, l)
			}
		}
	}
	return links
}

// render writes a page whole or not at all.
func (c *Console) render(v *visit, status int, name string, body any) error {
	t := c.pages.byLang[v.lang][name]
	if t == nil {
		return fmt.Errorf("render: no page %q", name)
	}
	other := "zh"
	if v.lang == "zh" {
		other = "en"
	}
	back := v.r.URL.Path
	if v.r.Method != http.MethodGet {
		back = "/console/"
	}
	var b bytes.Buffer
	f := frame{Page: name, Lang: v.lang, Other: other, Path: back, Form: v.form, User: v.user(), Version: c.Policy.Version, Nav: c.nav(v), Body: body}
	if err := t.ExecuteTemplate(&b, "frame", f); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Language", v.lang)
	v.w.WriteHeader(status)
	_, err := b.WriteTo(v.w)
	if err != nil {
		c.Log.Debug("console page was not taken", "pattern", v.r.Pattern)
	}
	return nil
}

// say is a sentence in the visitor's language.
func (c *Console) say(v *visit, key string, blanks ...any) string {
	text, err := c.pages.words[v.lang].say(key, blanks...)
	if err != nil {
		c.Log.Error("console words missing", "key", key)
	}
	return text
}

func (c *Console) static(v *visit) error {
	a, ok := c.pages.static[v.r.PathValue("file")]
	if !ok {
		return errMissing
	}
	h := v.w.Header()
	h.Set("Content-Type", a.mime)
	if v.r.URL.Query().Get("v") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, err := v.w.Write(a.body)
	if err != nil {
		c.Log.Debug("console file was not taken", "pattern", v.r.Pattern)
	}
	return nil
}
