package rules

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"nightlight/pipeline"
)

//go:embed table/*.yaml
var tableFiles embed.FS

// entry is one rule as the table writes it.
type entry struct {
	ID    string         `yaml:"id"`
	Label pipeline.Label `yaml:"label"`
	// Score is how often the rule is right when it fires, by judgement.
	Score float64 `yaml:"score"`
	// Match holds regular expressions over the folded text, of which one must
	// be found; {name} stands for a word list of the file words.yaml.
	Match []string `yaml:"match"`
	// Unless holds expressions of which none may be found in the same piece.
	Unless []string `yaml:"unless"`
	// Beside holds expressions that excuse a match in their own clause; one
	// elsewhere is a doubt and lowers the score. It is for labels of severity 4,
	// where "I want to die, they laugh" must not be silenced by the laughing.
	Beside []string `yaml:"beside"`
	// Hit, Miss and Doubt are examples; they are tests.
	Hit   []string `yaml:"hit"`
	Miss  []string `yaml:"miss"`
	Doubt []string `yaml:"doubt"`
}

// readTable returns the entries of all files. The table is part of the
// program, so a mistake in it is a panic that the first test finds.
func readTable() []entry {
	lists := map[string]string{}
	must(yaml.Unmarshal(read("table/words.yaml"), &lists))
	names, err := fs.Glob(tableFiles, "table/*.yaml")
	must(err)
	var all []entry
	for _, name := range names {
		if name == "table/words.yaml" {
			continue
		}
		var some []entry
		if err := yaml.Unmarshal(read(name), &some); err != nil {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
		for i := range some {
			for _, exprs := range [][]string{some[i].Match, some[i].Unless, some[i].Beside} {
				for k := range exprs {
					exprs[k] = expand(lists, exprs[k])
				}
			}
		}
		all = append(all, some...)
	}
	return all
}

func read(name string) []byte {
	b, err := tableFiles.ReadFile(name)
	must(err)
	return b
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

var listName = regexp.MustCompile(`\{[a-z]+\}`)

// expand writes word lists into an expression; lists may use lists.
func expand(lists map[string]string, expr string) string {
	for range 4 {
		expr = listName.ReplaceAllStringFunc(expr, func(name string) string {
			words, ok := lists[strings.Trim(name, "{}")]
			if !ok {
				panic("no word list " + name)
			}
			return "(?:" + words + ")"
		})
	}
	return expr
}

// rule is one compiled expression of an entry.
type rule struct {
	id     string
	label  pipeline.Label
	score  float64
	match  *regexp.Regexp
	unless *regexp.Regexp // nil: no guard
	beside *regexp.Regexp // nil: no guard
	words  [][]string     // of each of these sets, every match has a word
}

func (e entry) compile() []rule {
	unless, beside := anyOf(e.Unless), anyOf(e.Beside)
	var rules []rule
	for _, m := range e.Match {
		for _, expr := range branches(m) {
			words, err := needs(expr)
			if err != nil {
				panic(fmt.Sprintf("rule %s: %v", e.ID, err))
			}
			rules = append(rules, rule{e.ID, e.Label, e.Score, regexp.MustCompile(expr), unless, beside, words})
		}
	}
	return rules
}

// anyOf returns nil for no expressions.
func anyOf(exprs []string) *regexp.Regexp {
	if len(exprs) == 0 {
		return nil
	}
	return regexp.MustCompile("(?:" + strings.Join(exprs, ")|(?:") + ")")
}

// doubt is the score of a match where an excuse stands in another clause: the
// decision point, at which a person looks at what may be of severity 4.
const doubt = 0.5

// in returns where the rule fires in text and with which score, 0 for not.
func (r *rule) in(text string) (from, to int, score float64) {
	at := r.match.FindStringIndex(text)
	switch {
	case at == nil || r.unless != nil && r.unless.MatchString(text):
		return 0, 0, 0
	case r.beside == nil || !r.beside.MatchString(text):
		return at[0], at[1], r.score
	}
	for _, at := range r.match.FindAllStringIndex(text, -1) {
		if from, to := clause(text, at[0], at[1]); !r.beside.MatchString(text[from:to]) {
			return at[0], at[1], doubt
		}
	}
	return 0, 0, 0
}

// clauseEnd is what a clause ends with. Laughter does: "i want to die lol".
var clauseEnd = regexp.MustCompile(`[,.;!?~。\n]|\b(?:lo+l|lmf?ao|rofl|ha(?:ha)+)\b|哈哈+|嘿嘿|嘻嘻`)

// longestClause bounds how far a clause is looked for on either side, in bytes.
const longestClause = 240

// clause returns the clause that the bytes from..to of text stand in.
func clause(text string, from, to int) (int, int) {
	core := strings.TrimFunc(text[from:to], func(r rune) bool { return strings.ContainsRune(" ,.;!?~。\n", r) })
	from += strings.Index(text[from:to], core)
	to = from + len(core)
	start, end := back(text, max(0, from-longestClause)), min(len(text), to+longestClause)
	if ends := clauseEnd.FindAllStringIndex(text[start:from], -1); ends != nil {
		start += ends[len(ends)-1][1]
	}
	if at := clauseEnd.FindStringIndex(text[to:end]); at != nil {
		end = to + at[0]
	}
	for i := from - 1; i >= start; i-- {
		if partsHan(text, i) {
			start = i + 1
			break
		}
	}
	for i := to; i < end; i++ {
		if partsHan(text, i) {
			end = i
			break
		}
	}
	return start, end
}

// partsHan reports whether byte i of text is a blank that ends a clause, as one
// beside a Han character does.
func partsHan(text string, i int) bool {
	if text[i] != ' ' {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	after, _ := utf8.DecodeRuneInString(text[i+1:])
	return isHan(before) || isHan(after)
}

// branches takes an expression that is a choice apart, as each branch has
// words of its own to look for.
func branches(expr string) []string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || re.Op != syntax.OpAlternate {
		return []string{expr}
	}
	var all []string
	for _, sub := range re.Sub {
		all = append(all, sub.String())
	}
	return all
}

// mostSets is how many sets of words a rule may ask for.
// A larger one than mostWords is left out where there is a smaller, as its
// words would make the automaton big and say little.
const (
	mostSets  = 6
	mostWords = 64
)

// needs returns sets of words of each of which every match of expr contains
// one, so that the expression is only tried on texts that have them all.
func needs(expr string) ([][]string, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	re = re.Simplify()
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	sets := [][]string{needed(re)}
	if re.Op == syntax.OpConcat {
		sets = concats(re.Sub)
	}
	sets = slices.DeleteFunc(sets, func(s []string) bool { return len(s) == 0 || shortest(s) == 0 })
	if len(sets) == 0 {
		return nil, fmt.Errorf("%s: no word that every match has", expr)
	}
	slices.SortStableFunc(sets, func(a, b []string) int {
		if better(a, b) {
			return -1
		}
		return 1
	})
	for i := range sets {
		slices.Sort(sets[i])
		sets[i] = slices.Compact(sets[i])
	}
	kept := sets[:0]
	for i, s := range sets {
		if len(s) <= mostWords || i == len(sets)-1 && len(kept) == 0 {
			kept = append(kept, s)
		}
	}
	return kept[:min(len(kept), mostSets)], nil
}

// needed returns nil where there is no such set of words.
func needed(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpCharClass:
		var words []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if words = append(words, string(r)); len(words) > 24 {
					return nil
				}
			}
		}
		return words
	case syntax.OpAlternate:
		var words []string
		for _, sub := range re.Sub {
			some := needed(sub)
			if some == nil {
				return nil
			}
			words = append(words, some...)
		}
		return words
	case syntax.OpConcat:
		var best []string
		for _, some := range concats(re.Sub) {
			if len(some) > 0 && shortest(some) > 0 && better(some, best) {
				best = some
			}
		}
		return best
	}
	return nil
}

// concats returns a set of words for each part of a concatenation, and for
// each two neighbours together where that stays small.
func concats(subs []*syntax.Regexp) [][]string {
	var sets [][]string
	for i, sub := range subs {
		sets = append(sets, needed(sub))
		if i == 0 {
			continue
		}
		a, b := whole(subs[i-1]), whole(sub)
		if a == nil || b == nil || len(a)*len(b) > 200 {
			continue
		}
		var both []string
		for _, x := range a {
			for _, y := range b {
				both = append(both, x+y)
			}
		}
		sets = append(sets, both)
	}
	return sets
}

// whole returns all texts that re matches, nil when they are too many.
func whole(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpCapture:
		return whole(re.Sub[0])
	case syntax.OpQuest:
		if some := whole(re.Sub[0]); some != nil {
			return append(some, "")
		}
	case syntax.OpCharClass:
		return needed(re)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			some := whole(sub)
			if some == nil {
				return nil
			}
			all = append(all, some...)
		}
		return all
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range re.Sub {
			some := whole(sub)
			if some == nil || len(all)*len(some) > 200 {
				return nil
			}
			var next []string
			for _, a := range all {
				for _, b := range some {
					next = append(next, a+b)
				}
			}
			all = next
		}
		return all
	}
	return nil
}

// better prefers the set whose shortest word is longer, as it is rarer in
// texts that do not match; of equals, the smaller set.
func better(a, b []string) bool {
	if a == nil || b == nil {
		return a != nil
	}
	if shortest(a) != shortest(b) {
		return shortest(a) > shortest(b)
	}
	return len(a) < len(b)
}

func shortest(words []string) int {
	n := len(words[0])
	for _, w := range words {
		n = min(n, len(w))
	}
	return n
}
