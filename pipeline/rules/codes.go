package rules

import (
	"strings"

	"nightlight/pipeline"
)

// code is a rule that an expression cannot say: numbers with a check sum,
// numbers in words, repetition. It reads a folded text and is linear in it.
type code struct {
	id   string
	find func(text string) []hit
}

// hit is where a code fires, in bytes of the text that it read.
type hit struct {
	label    pipeline.Label
	score    float64
	from, to int
}

func codes() []code {
	return []code{
		{"phone", phones},
		{"identity card", identityCards},
		{"flood", floods},
	}
}

// number is digits as people write them: with blanks, dashes, Chinese numerals,
// 幺 for one.
type number struct {
	digits   string
	from, to int
	words    bool // any digit was a Chinese numeral
	alone    bool // no other long number stands beside it
}

// longestNumber is the longest number that is read; longer ones are no number
// of a person.
const longestNumber = 24

// part is the digits of a run between two gaps or changes of script.
type part struct {
	first, end int // of the run's digits
	from, to   int // of the text
	words      bool
}

// numbers gives try what may be a number of six digits or more: each run of digits
// as a whole, and where try refuses that, its parts and the parts that follow one
// another, since "8点" or "一起" may stand right behind a number. Digits that
// are all spelt one by one are a whole or nothing. It goes on behind what try takes.
func numbers(text string, try func(number) bool) {
	var digitsBuffer [64]byte
	var partsBuffer [16]part
	digits, parts, gap := digitsBuffer[:0], partsBuffer[:0], 0
	for i, r := range text {
		d, size := digitOf(r), 1
		if d == 0 && len(parts) == 0 {
			continue
		}
		if r >= 0x80 {
			size = 3
		}
		switch {
		case d != 0:
			if last := len(parts) - 1; last < 0 || gap > 0 || parts[last].words != (r >= 0x80) {
				parts = append(parts, part{first: len(digits), from: i, words: r >= 0x80})
			}
			digits = append(digits, d)
			last := &parts[len(parts)-1]
			last.end, last.to, gap = len(digits), i+size, 0
		case (r == ' ' || r == '-' || r == '.' || r == '(' || r == ')' || r == '_' || r == '~' || r == '、' || r == '。' || r == '/') && gap < 2:
			gap++
		default:
			within(digits, parts, try)
			digits, parts, gap = digits[:0], parts[:0], 0
		}
	}
	within(digits, parts, try)
}

// within gives try the numbers of one run.
func within(digits []byte, parts []part, try func(number) bool) {
	if len(digits) < 6 {
		return
	}
	all := string(digits)
	join := func(i, k int) number {
		n := number{digits: all[parts[i].first:parts[k].end], from: parts[i].from, to: parts[k].to, alone: true}
		for _, p := range parts[i : k+1] {
			n.words = n.words || p.words
		}
		const long = 3
		if i > 0 && parts[i-1].end-parts[i-1].first >= long || k+1 < len(parts) && parts[k+1].end-parts[k+1].first >= long {
			n.alone = false
		}
		return n
	}
	if len(digits) <= longestNumber && try(join(0, len(parts)-1)) || len(parts) == 1 {
		return
	}
	for i := 0; i < len(parts); i++ {
		last := i
		for last+1 < len(parts) && parts[last+1].end-parts[i].first <= longestNumber {
			last++
		}
		for k := last; k >= i && parts[k].end-parts[i].first >= 6; k-- {
			oneByOne := parts[k].end-parts[i].first == k-i+1
			if !oneByOne && parts[k].end-parts[i].first <= longestNumber && try(join(i, k)) {
				i = k
				break
			}
		}
	}
}

func digitOf(r rune) byte {
	if r >= '0' && r <= '9' {
		return byte(r)
	}
	switch r {
	case '〇', '零', '洞':
		return '0'
	case '一', '壹', '幺', '么':
		return '1'
	case '二', '贰', '两':
		return '2'
	case '三', '叁', '仨':
		return '3'
	case '四', '肆':
		return '4'
	case '五', '伍':
		return '5'
	case '六', '陆':
		return '6'
	case '七', '柒', '拐':
		return '7'
	case '八', '捌':
		return '8'
	case '九', '玖', '勾':
		return '9'
	}
	return 0
}

// phones finds telephone numbers: mobile numbers of China however they are
// spelt, and numbers with a country code or a North American shape.
func phones(text string) []hit {
	var hits []hit
	numbers(text, func(n number) bool {
		digits := n.digits
		before := text[max(0, n.from-24):n.from]
		after := text[n.to:min(len(text), n.to+12)]
		plus := strings.HasSuffix(before, "+") || strings.HasSuffix(before, "+(")
		score := 0.0
		switch {
		case mobile(digits), strings.HasPrefix(digits, "86") && mobile(digits[2:]), strings.HasPrefix(digits, "0086") && mobile(digits[4:]):
			score = 0.8
		case plus && len(digits) >= 9 && len(digits) <= 14 && !n.words:
			score = 0.75
		case n.alone && northAmerican(text[n.from:n.to]):
			score = 0.65
		default:
			return false
		}
		if has(before, "单号", "订单", "快递", "编号", "客服", "order", "tracking", "isbn", "uid", "流水", "学号", "卡号", "热线", "举报") || strings.HasPrefix(after, "元") {
			return true
		}
		if has(before, "我", "打给", "call", "text", "my", "mine", "me", "联系", "号码", "电话", "手机") {
			score = min(score+0.1, 0.9)
		}
		label := pipeline.PrivacyGives
		if has(before, "他的", "她的", "他电话", "她电话", "他手机", "她手机", "他妈", "她妈", "他家", "她家", "his ", "her ", "their ") {
			label, score = pipeline.BullyingDoxxing, 0.6
		}
		hits = append(hits, hit{label, score, n.from, n.to})
		return true
	})
	return hits
}

// northAmerican reports whether text is grouped as 415 555 0132 is, with a 1
// before it or not.
func northAmerican(text string) bool {
	groups := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if len(groups) == 4 && groups[0] == "1" {
		groups = groups[1:]
	}
	return len(groups) == 3 && len(groups[0]) == 3 && len(groups[1]) == 3 && len(groups[2]) == 4 && groups[0][0] >= '2' && groups[1][0] >= '2'
}

func mobile(digits string) bool {
	if len(digits) != 11 || digits[0] != '1' || digits[1] < '3' {
		return false
	}
	return strings.Trim(digits[3:], digits[3:4]) != "" // 138 and eight equal digits is an example
}

func has(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// identityCards finds numbers of the Chinese identity card, whose last sign is
// a check sum over the others (GB 11643).
func identityCards(text string) []hit {
	var hits []hit
	numbers(text, func(n number) bool {
		digits, to := n.digits, n.to
		if len(digits) == 17 && to < len(text) && text[to] == 'x' {
			digits, to = digits+"x", to+1
		}
		if !identityCard(digits) {
			return false
		}
		hits = append(hits, hit{pipeline.PrivacyGives, 0.95, n.from, to})
		return true
	})
	return hits
}

func identityCard(digits string) bool {
	if len(digits) != 18 || digits[0] == '0' {
		return false
	}
	if y := digits[6:8]; y != "19" && y != "20" {
		return false
	}
	if m := digits[10:12]; m < "01" || m > "12" {
		return false
	}
	if d := digits[12:14]; d < "01" || d > "31" {
		return false
	}
	sum, weight := 0, 1
	for i := 16; i >= 0; i-- {
		weight = weight * 2 % 11
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
		sum += int(digits[i]-'0') * weight
	}
	return "10x98765432"[sum%11] == digits[17]
}

// floods finds texts that say one thing over and over, and those that call
// many people.
func floods(text string) []hit {
	if len(text) < 40 {
		return nil
	}
	n, mentions := 0, 0
	var last rune
	for i, r := range text {
		n++
		if r == '@' && (last == 0 || last == ' ' || last == '\n' || last >= 0x80) && i+1 < len(text) && text[i+1] != ' ' {
			mentions++
		}
		last = r
	}
	if mentions >= 6 {
		return []hit{{pipeline.SpamFlood, 0.7, 0, len(text)}}
	}
	if n < 40 {
		return nil
	}
	if share := repetition(text); share > 0.8 && n >= 60 {
		return []hit{{pipeline.SpamFlood, 0.7, 0, len(text)}}
	}
	return nil
}

// repetition is the share of a text's four-byte-pairs that were seen before,
// by a small table of the last place of each; 0 for a text with no repeats.
// Runs of laughter (hahaha, 哈哈哈) say nothing and do not count.
func repetition(text string) float64 {
	if len(text) > 4000 {
		text = text[:4000]
	}
	var seen [1024]uint64 // a bit set of hashes of eight bytes
	repeats, total := 0, 0
	for i := 0; i+8 <= len(text); i++ {
		if laughs(text[i : i+8]) {
			continue
		}
		h := uint64(14695981039346656037)
		for k := range 8 {
			h = (h ^ uint64(text[i+k])) * 1099511628211
		}
		h ^= h >> 29
		word, bit := h>>6%1024, uint64(1)<<(h%64)
		total++
		if seen[word]&bit != 0 {
			repeats++
		}
		seen[word] |= bit
	}
	if total < 40 {
		return 0
	}
	return float64(repeats) / float64(total)
}

// laughs reports whether eight bytes hold at most two different characters,
// as laughter, cheers, rows of signs and digits do.
func laughs(s string) bool {
	var a, b byte
	if s[0] < 0x80 {
		a = s[0]
		for i := range len(s) {
			if s[i] != a && b == 0 {
				b = s[i]
			}
			if s[i] != a && s[i] != b {
				return false
			}
		}
		return true
	}
	for i := 3; i < len(s); i++ {
		if s[i] != s[i-3] {
			return false
		}
	}
	return true
}
