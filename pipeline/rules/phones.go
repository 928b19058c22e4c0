package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"nightlight/pipeline"
)

// nearby is how many bytes before and behind a number say whose it is.
const nearby = 24

// longestBare bounds, in bytes, a text that is asked whether a number is all it
// says: each number of a long one would read all of it.
const longestBare = 256

// What stands beside a number: that it is the writer's own, that somebody is to
// call it, that it is another's, or that it is no person's at all.
var (
	own = regexp.MustCompile(`我(?:的|家|们|妈|爸|妈妈|爸爸|家里)?的?(?:电话|手机|手表|号码|号|座机|固话)|家里(?:的)?(?:电话|座机|固话)|打给我|打我|打 ?$|找我|联系我|加我|` +
		`\b(?:call|text|txt|ring|reach|phone|dm) (?:me|us)\b|\bmy (?:own |new |home |mum'?s |mom'?s |dad'?s )?(?:number|num|phone|cell|mobile|landline|#)|(?:微信|薇信|vx|wx|qq|wechat|whatsapp) ?(?:号|id)`)
	contact = regexp.MustCompile(`电话|手机|号码|手表号|新号|打给|打我|找我|联系|加我|我的(?:号)?(?:是|:)? ?$|` +
		`\b(?:call|text|txt|ring|dial|reach|sms|phone|number|num|cell|mobile|whatsapp|digits)\b|\b(?:me|mine)(?: is| at| on)?[ :=-]*$`)
	contactAfter = regexp.MustCompile(`^[ ,]{0,2}(?:打给我|打我|加我|找我|联系|是我|我的|(?:call|text|txt|ring|hmu)(?: (?:me|us|first|when|if|after|at|any)\b|[,.!]|$)|(?:is|it'?s) m[ey]\b)`)
	near         = regexp.MustCompile(`我|打给|联系|号码|电话|手机|\b(?:call|text|my|mine|me)\b`)
	theirs       = regexp.MustCompile(`(?:^|[^其吉])[他她](?:的|电话|手机|妈|家)|\b(?:his|her|their)\b`)
	// A group holds what counts, as "in order to" is no order.
	notOwn = regexp.MustCompile(`in order (?:to|that)\b|(单号|订单|快递|物流|运单|编号|房间号|客服|流水|学号|卡号|热线|举报|准考证|考号|[^号密]码|` +
		`(?:游戏|角色|玩家|用户|(?:^|[^a-z])) ?id\b|\b(?:orders?|tracking|isbn|uid|hotline|helpline|lifeline|crisis|childline|childhelp|kids help|score[sd]?)\b)`)
	notOwnAfter = regexp.MustCompile(`^ ?(?:元|块钱|热线|(?:points?|pts|coins|views|likes|xp|dollars|hotline|helpline)\b)`)
	countryCode = regexp.MustCompile(`(?:\+ ?\(?|(?:^|[^\d ] ?)\bplus ?)$`)
	landline    = regexp.MustCompile(`^0(?:10|2\d)[2-8]\d{7}$|^0[3-9]\d\d[2-8]\d{6,7}$`)
)

// phones finds telephone numbers: mobile numbers of China however they are
// spelt, numbers with a country code, and those of North America, Britain and
// Chinese landlines.
func phones(text string) []hit {
	var hits []hit
	numbers(text, func(n number) bool {
		before := text[max(0, n.from-nearby):n.from]
		if len(n.digits) < 9 || len(n.digits) > 15 {
			return false
		}
		plus := countryCode.MatchString(before)
		after := text[n.to:min(len(text), n.to+nearby)]
		groups, gaps := national(grouped(text[n.from:n.to]))
		score, wants := telephone(n, groups, gaps, plus)
		if score == 0 {
			return false
		}
		mine := last(own, before)
		owned := mine >= 0 || contactAfter.MatchString(after)
		asked := owned || contact.MatchString(before)
		bare := len(text) <= longestBare && !strings.ContainsFunc(text[:n.from], isWord) && !strings.ContainsFunc(text[n.to:], isWord)
		switch {
		case wants == aCall && !asked, wants == aCallOrNothing && !asked && !bare,
			wants == anOwner && !owned, wants == anOwnerOrNothing && !owned && !bare:
			return false
		}
		free := tollFree(groups, plus || mine < 0 && !strings.ContainsFunc(before+after, isHan))
		if free || last(notOwn, before) > mine || notOwnAfter.MatchString(after) {
			return true
		}
		if near.MatchString(before) {
			score = min(score+0.1, 0.9)
		}
		label := pipeline.PrivacyGives
		if last(theirs, before) > mine {
			label, score = pipeline.BullyingDoxxing, 0.6
		}
		hits = append(hits, hit{label, score, n.from, n.to})
		return true
	})
	return hits
}

// want is what has to stand beside digits of a shape that other rows of numbers
// have as well.
type want int

const (
	nothing want = iota
	aCall        // a word such as 电话 or call
	anOwner      // a word such as 我的电话 or call me
	aCallOrNothing
	anOwnerOrNothing // or no word in the whole text
)

// telephone returns how surely the digits of groups are a telephone number by
// their shape, 0 for not, and what else that needs.
func telephone(n number, groups, gaps []string, plus bool) (score float64, wants want) {
	digits, shape := strings.Join(groups, ""), shapeOf(groups)
	even := len(slices.Compact(slices.Clone(gaps))) <= 1
	switch chinese := mobile(digits); {
	case chinese && (shape == "11" || shape == "3-4-4" || even && (shape == "3-3-5" || shape == "4-4-3")):
		return 0.8, nothing
	case !n.words && len(n.digits) <= 14 && plus:
		return 0.75, nothing
	case n.alone && northAmerican(groups):
		switch {
		case len(groups) == 1:
			return 0.65, anOwnerOrNothing
		case even && gaps[0] == " ":
			return 0.65, aCallOrNothing
		}
		return 0.65, nothing
	case n.alone && strings.HasPrefix(digits, "07") && (shape == "11" || shape == "5-6" || shape == "5-3-3"):
		return 0.65, anOwnerOrNothing
	case n.alone && len(groups) <= 3 && landline.MatchString(digits):
		return 0.65, anOwner
	case chinese && even && (len(groups) == 11 || shape == "3-8" || shape == "7-4") && gaps[0] != ".":
		return 0.8, aCallOrNothing
	case chinese && len(groups[0]) > 1: // 1.7320508075 is none
		return 0.8, aCall
	}
	return 0, nothing
}

// national drops the country code of China.
func national(groups, gaps []string) ([]string, []string) {
	for _, code := range []string{"0086", "86"} {
		rest, ok := strings.CutPrefix(groups[0], code)
		switch {
		case !ok:
		case rest == "" && len(groups) > 1:
			return groups[1:], gaps[1:]
		case mobile(rest + strings.Join(groups[1:], "")):
			return append([]string{rest}, groups[1:]...), gaps
		}
	}
	return groups, gaps
}

// shapeOf writes the sizes of groups as in 3-4-4.
func shapeOf(groups []string) string {
	var b strings.Builder
	for i, g := range groups {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(strconv.Itoa(len(g)))
	}
	return b.String()
}

func mobile(digits string) bool {
	if len(digits) != 11 || digits[0] != '1' || digits[1] < '3' {
		return false
	}
	return strings.Trim(digits[3:], digits[3:4]) != "" // 138 and eight equal digits is an example
}

// northAmerican reports whether groups are as in 415 555 0132 or 4155550132,
// with a 1 before them or not.
func northAmerican(groups []string) bool {
	shape := strings.TrimPrefix(shapeOf(groups), "1-")
	digits := strings.Join(groups, "")
	digits = digits[max(0, len(digits)-10):]
	return (shape == "3-3-4" || len(groups) == 1 && shape == "10") && digits[0] >= '2' && digits[3] >= '2'
}

// tollFree reports whether a number is one that the called pay for, as crisis
// lines have, and so nobody's own. Only where english is true is 18002738255 no
// Chinese mobile number.
func tollFree(groups []string, english bool) bool {
	digits, shape := strings.Join(groups, ""), shapeOf(groups)
	if len(digits) == 11 && (groups[0] == "1" || shape == "4-3-4" || shape == "4-7" || english && strings.HasPrefix(digits, "1800")) {
		digits = strings.TrimPrefix(digits, "1")
	}
	return len(digits) == 10 && slices.Contains([]string{"400", "800", "833", "844", "855", "866", "877", "888"}, digits[:3])
}

// last returns where the last match of re in text ends, at least where its first
// group does if it has one; -1 for no match.
func last(re *regexp.Regexp, text string) int {
	end := -1
	for _, at := range re.FindAllStringSubmatchIndex(text, -1) {
		end = max(end, at[len(at)-1])
	}
	return end
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }
