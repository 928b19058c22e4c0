package rules

import (
	"strings"
	"unicode"

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
	loose      bool // the gap before it is
}

func (p part) size() int { return p.end - p.first }

// usualGaps are the signs that people write into a number, two of them at most.
// Other gaps are loose, and widestGap bounds them; …… is six signs.
const (
	usualGaps = " -.()_~、。/"
	widestGap = 6
)

// numbers gives try what may be a number of six digits or more: each run of digits
// as a whole, and where try refuses that, its parts and the parts that follow one
// another, since "8点" or "一起" may stand right behind a number. Digits that
// are all spelt one by one are a whole or nothing. It goes on behind what try takes.
func numbers(text string, try func(number) bool) {
	var digitsBuffer [64]byte
	var partsBuffer [16]part
	digits, parts, gap, loose := digitsBuffer[:0], partsBuffer[:0], 0, false
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
				parts = append(parts, part{first: len(digits), from: i, words: r >= 0x80, loose: loose})
			}
			digits = append(digits, d)
			last := &parts[len(parts)-1]
			last.end, last.to, gap, loose = len(digits), i+size, 0, false
		case gap < widestGap && (strings.ContainsRune(usualGaps+"\n", r) || unicode.IsPunct(r) || unicode.IsSymbol(r)):
			gap++
			loose = loose || gap > 2 || !strings.ContainsRune(usualGaps, r)
		default:
			within(digits, parts, try)
			digits, parts, gap, loose = digits[:0], parts[:0], 0, false
		}
	}
	within(digits, parts, try)
}

// within gives try the numbers of one run: those without a loose gap, and of the
// others only a mobile number's usual three parts.
func within(digits []byte, parts []part, try func(number) bool) {
	if len(digits) < 6 {
		return
	}
	all := string(digits)
	for from, i := 0, 1; i <= len(parts); i++ {
		if i == len(parts) || parts[i].loose {
			unbroken(all, parts[from:i], try)
			from = i
		}
	}
	for i := 0; i+3 <= len(parts); i++ {
		if p := parts[i : i+3]; (p[1].loose || p[2].loose) && p[0].size() == 3 && p[1].size() == 4 && p[2].size() == 4 {
			if n := join(all, parts, i, i+2); n.alone {
				try(n)
			}
		}
	}
}

// unbroken gives try the numbers of parts with no loose gap between them.
func unbroken(all string, parts []part, try func(number) bool) {
	count := parts[len(parts)-1].end - parts[0].first
	if count < 6 || count <= longestNumber && try(join(all, parts, 0, len(parts)-1)) || len(parts) == 1 {
		return
	}
	for i := 0; i < len(parts); i++ {
		last := i
		for last+1 < len(parts) && parts[last+1].end-parts[i].first <= longestNumber {
			last++
		}
		for k := last; k >= i && parts[k].end-parts[i].first >= 6; k-- {
			oneByOne := parts[k].end-parts[i].first == k-i+1
			if !oneByOne && parts[k].end-parts[i].first <= longestNumber && try(join(all, parts, i, k)) {
				i = k
				break
			}
		}
	}
}

// join makes one number of the parts from i to k.
func join(all string, parts []part, i, k int) number {
	n := number{digits: all[parts[i].first:parts[k].end], from: parts[i].from, to: parts[k].to}
	for _, p := range parts[i : k+1] {
		n.words = n.words || p.words
	}
	const long = 3
	n.alone = (i == 0 || parts[i-1].size() < long) && (k+1 == len(parts) || parts[k+1].size() < long)
	return n
}

// grouped returns the digits of a number between its gaps, and the gaps. A change
// of script alone is no gap.
func grouped(number string) (digits, gaps []string) {
	var group []byte
	gap := 0
	for i, r := range number {
		d := digitOf(r)
		if d == 0 && len(group) > 0 {
			digits, group, gap = append(digits, string(group)), group[:0], i
		}
		if d != 0 && len(group) == 0 && i > 0 {
			gaps = append(gaps, number[gap:i])
		}
		if d != 0 {
			group = append(group, d)
		}
	}
	return append(digits, string(group)), gaps
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
