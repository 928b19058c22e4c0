package console

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var colour = regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6})`)

// palettes reads the colours by day and by night out of the style sheet.
func palettes(t *testing.T) (day, night map[string]string) {
	t.Helper()
	css, err := staticFiles.ReadFile("static/console.css")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	after, _, ended := strings.Cut(rest, "*, ::before")
	if !found || !ended {
		t.Fatal("the style sheet's palettes have moved")
	}
	day, night = map[string]string{}, map[string]string{}
	for _, m := range colour.FindAllStringSubmatch(before, -1) {
		day[m[1]], night[m[1]] = m[2], m[2]
	}
	for _, m := range colour.FindAllStringSubmatch(after, -1) {
		night[m[1]] = m[2]
	}
	return day, night
}

// contrast is the ratio of WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func luminance(t *testing.T, hex string) (sum float64) {
	t.Helper()
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= .04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+.055)/1.055, 2.4)
		}
	}
	return sum
}

func TestWordsStandOutFromWhatTheyAreWrittenOnByDayAndByNight(t *testing.T) {
	day, night := palettes(t)
	pairs := [][2]string{
		{"text", "bg"}, {"text", "card"}, {"text", "raised"}, {"text", "lamp-soft"}, {"muted", "bg"}, {"muted", "card"}, {"muted", "raised"}, {"muted", "lamp-soft"},
		{"link", "card"}, {"lamp-ink", "lamp"}, {"bad", "s4-bg"}, {"bad", "card"}, {"good", "card"}, {"bg", "text"},
	}
	for _, s := range []string{"s0", "s1", "s2", "s3", "s4"} {
		pairs = append(pairs, [2]string{s, s + "-bg"}, [2]string{"card", s}, [2]string{"text", s + "-bg"}, [2]string{"muted", s + "-bg"})
	}
	for name, colours := range map[string]map[string]string{"day": day, "night": night} {
		for _, p := range pairs {
			if got := contrast(t, colours[p[0]], colours[p[1]]); got < 4.5 {
				t.Errorf("%s: got %.2f for %s on %s, want 4.5", name, got, p[0], p[1])
			}
		}
		for _, p := range [][2]string{{"edge", "raised"}, {"edge", "card"}, {"focus", "card"}, {"focus", "bg"}} {
			if got := contrast(t, colours[p[0]], colours[p[1]]); got < 3 {
				t.Errorf("%s: got %.2f for %s on %s, want 3", name, got, p[0], p[1])
			}
		}
	}
}
