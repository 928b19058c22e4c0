package normal

import "strings"

// Simplified writes traditional characters as simplified ones, one for one, and leaves everything else as it is.
func Simplified(text string) string {
	t := tables()
	return strings.Map(func(r rune) rune {
		if !isHan(r) {
			return r
		}
		if out, ok := t.folded(r); ok && len(out) == 1 && isHan(out[0]) {
			return out[0]
		}
		return r
	}, text)
}
