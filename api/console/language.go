package console

import (
	"embed"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed lang/*.yaml
var langFiles embed.FS

// languages lists what the console speaks; the first serves who asks for none
// of them.
var languages = [...]string{"en", "zh"}

// catalogue is every sentence of the console in one language, by key.
type catalogue map[string]string

func openCatalogue(lang string) (catalogue, error) {
	text, err := langFiles.ReadFile("lang/" + lang + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("console words of %s: %w", lang, err)
	}
	c := catalogue{}
	if err := yaml.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("console words of %s: %w", lang, err)
	}
	return c, nil
}

// say returns the sentence of a key with its blanks filled in. A key that is
// missing is an error, so that no page goes out with a hole.
func (c catalogue) say(key string, blanks ...any) (string, error) {
	text, ok := c[key]
	if !ok {
		return "", fmt.Errorf("no words for %q", key)
	}
	if len(blanks) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, blanks...), nil
}

// has reports whether there is a sentence for key.
func (c catalogue) has(key string) bool { _, ok := c[key]; return ok }

// languageOf picks the visitor's language: their own choice, else what the
// browser asks for.
func languageOf(r *http.Request) string {
	for _, name := range []string{"__Host-" + languageCookie, languageCookie} {
		if cookie, err := r.Cookie(name); err == nil && speaks(cookie.Value) {
			return cookie.Value
		}
	}
	best, weight := languages[0], 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		w := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(q), "q="); ok {
			w, _ = strconv.ParseFloat(v, 64)
		}
		if speaks(primary) && w > weight {
			best, weight = primary, w
		}
	}
	return best
}

func speaks(lang string) bool {
	for _, l := range languages {
		if l == lang {
			return true
		}
	}
	return false
}

// language keeps the visitor's choice and goes back to where they were.
func (c *Console) language(v *visit) error {
	lang := v.value("lang")
	if !speaks(lang) {
		return errInput
	}
	c.setCookie(v.w, languageCookie, lang, 365*24*time.Hour)
	return v.go303(ownPath(v.value("back")))
}

// ownPath is path when it leads to a page of the console, else its front page.
func ownPath(path string) string {
	if !strings.HasPrefix(path, "/console/") || strings.ContainsAny(path, "\\\r\n") || strings.Contains(path, "//") {
		return "/console/"
	}
	return path
}
