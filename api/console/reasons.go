package console

import (
	"regexp"
	"strconv"
	"strings"

	"nightlight/pipeline"
)

// The forms in which policy explains a verdict.
var (
	thresholdReason = regexp.MustCompile(`^(\S+) ([0-9.]+) ≥ ([0-9.]+) for (\w+) aged (\S+) → (\w+)$`)
	notHeardReason  = regexp.MustCompile(`^not heard between (peers|others), youngest aged (\S+) → (\w+)$`)
	fileReason      = regexp.MustCompile(`^bank (\S+): the same file → (\w+)$`)
	pictureReason   = regexp.MustCompile(`^bank (\S+): the same picture, (\d+) bits away ≤ (\d+) → (\w+)$`)
	faultReason     = regexp.MustCompile(`^fault: (\S+) of (\S+) → (\w+)$`)
)

const guardianReason = "to a bound guardian: never held → allow"

// reasons says policy's reasons in plain words. One in a form that we do not
// know stands as it is: reasons hold no word of the content.
func (c *Console) reasons(v *visit, list []string) (plain []string) {
	for _, r := range list {
		plain = append(plain, c.reason(v, r))
	}
	return plain
}

func (c *Console) reason(v *visit, r string) string {
	known := c.pages.words[v.lang]
	if m := thresholdReason.FindStringSubmatch(r); m != nil && pipeline.Label(m[1]).Known() && known.has("about."+m[4]) && known.has("action."+m[6]) {
		return c.say(v, "reason.threshold", c.say(v, "label."+m[1]), percent(m[2]), c.say(v, "about."+m[4]), c.say(v, "band."+m[5]), percent(m[3]), c.say(v, "action."+m[6]))
	}
	if m := faultReason.FindStringSubmatch(r); m != nil {
		if known.has("fault." + m[1]) {
			return c.say(v, "fault."+m[1])
		}
		return c.say(v, "fault", m[1], m[2])
	}
	if m := fileReason.FindStringSubmatch(r); m != nil && known.has("action."+m[2]) {
		return c.say(v, "reason.bank_file", m[1], c.say(v, "action."+m[2]))
	}
	if m := pictureReason.FindStringSubmatch(r); m != nil && known.has("action."+m[4]) {
		return c.say(v, "reason.bank_picture", m[1], m[2], m[3], c.say(v, "action."+m[4]))
	}
	if m := notHeardReason.FindStringSubmatch(r); m != nil && known.has("action."+m[3]) {
		return c.say(v, "reason.not_heard", c.say(v, "relation."+m[1]), c.say(v, "band."+m[2]), c.say(v, "action."+m[3]))
	}
	if r == guardianReason {
		return c.say(v, "reason.guardian")
	}
	what, about, _ := strings.Cut(r, " of ")
	if !known.has("reason." + what) {
		return r
	}
	plain := c.say(v, "reason."+what)
	if pipeline.Label(about).Known() {
		plain += " (" + c.say(v, "label."+about) + ")"
	}
	return plain
}

func percent(score string) int {
	f, err := strconv.ParseFloat(score, 64)
	if err != nil {
		return 0
	}
	return int(f*100 + 0.5)
}
