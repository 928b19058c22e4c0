package eval

import (
	"archive/zip"
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/unicode/norm"

	"nightlight/pipeline"
)

//go:embed datasets.yaml
var datasetsYAML []byte

// Set describes a data set: where it lies, how it is read and what it asks.
type Set struct {
	Name     string            `yaml:"name"`
	About    string            `yaml:"about"`
	Kind     string            `yaml:"kind"`
	Path     string            `yaml:"path"`
	Text     string            `yaml:"text"`
	Truth    string            `yaml:"truth"`
	Positive []string          `yaml:"positive"`
	Only     map[string]string `yaml:"only"`
	By       []pipeline.Label  `yaml:"by"`
	Slices   []string          `yaml:"slices"`
	Language string            `yaml:"language"`
	Benign   bool              `yaml:"benign"`
	Sample   int               `yaml:"sample"`
	// Apart is a file of the same kind whose texts are left out.
	Apart string `yaml:"apart"`
	// Half is 1 or 2 for the texts of one half alone, 0 for all: which one a text
	// is in depends on nothing but its words.
	Half    int    `yaml:"half"`
	Licence string `yaml:"licence"`
}

// Example is one text of a set with what is known of it.
type Example struct {
	Text    string
	Context []pipeline.Turn
	// Labels are the truth for a set that labels every text in full.
	Labels []pipeline.Label
	// True answers the set's one question.
	True bool
	// Hard marks a hard negative of the label Of.
	Hard   bool
	Of     pipeline.Label
	Slices map[string]string
}

// Sets returns every known set.
func Sets() ([]Set, error) {
	var file struct {
		Sets []Set `yaml:"sets"`
	}
	dec := yaml.NewDecoder(strings.NewReader(string(datasetsYAML)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("datasets.yaml: %w", err)
	}
	return file.Sets, nil
}

// Load reads the set: own sets below root, public ones below sets.
func (s Set) Load(root, sets string) ([]Example, error) {
	base := sets
	if s.Kind == "corpus" {
		base = root
	}
	path := filepath.Join(base, filepath.FromSlash(s.Path))
	read := map[string]func(string) ([]Example, error){
		"corpus": readCorpus, "csv": s.readCSV, "tsv": s.readTSV, "lccc": readLCCC, "nus-xml": readNUS,
	}[s.Kind]
	if read == nil {
		return nil, fmt.Errorf("set %s: unknown kind %q", s.Name, s.Kind)
	}
	list, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", s.Name, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("set %s: no examples", s.Name)
	}
	if s.Apart != "" {
		other, err := read(filepath.Join(base, filepath.FromSlash(s.Apart)))
		if err != nil {
			return nil, fmt.Errorf("set %s: %w", s.Name, err)
		}
		list = without(list, other)
	}
	return sample(half(list, s.Half), s.Sample), nil
}

// bare is a text as overlap checks know it: without case, width and white space.
func bare(e Example) string {
	return strings.Join(strings.Fields(strings.ToLower(norm.NFKC.String(e.Text))), " ")
}

// without leaves out what stands in other too.
func without(list, other []Example) []Example {
	known := map[string]bool{}
	for _, e := range other {
		known[bare(e)] = true
	}
	return slices.DeleteFunc(list, func(e Example) bool { return known[bare(e)] })
}

// half keeps the texts of half 1 or 2, so that equal ones stay together.
func half(list []Example, which int) []Example {
	if which == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(e Example) bool {
		sum := sha256.Sum256([]byte("half\x00" + bare(e)))
		return 1+int(sum[0]&1) != which
	})
}

// sample keeps n examples chosen by a hash of their text, so that the choice
// stays when the set grows. n of 0 keeps all.
func sample(list []Example, n int) []Example {
	if n == 0 || len(list) <= n {
		return list
	}
	rank := func(e Example) uint64 {
		sum := sha256.Sum256([]byte(e.Text))
		return binary.BigEndian.Uint64(sum[:])
	}
	slices.SortStableFunc(list, func(a, b Example) int {
		x, y := rank(a), rank(b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return list[:n]
}

func (s Set) readCSV(path string) ([]Example, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if bom, err := in.Peek(3); err == nil && string(bom) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	head, err := r.Read()
	if err != nil {
		return nil, err
	}
	return s.rows(head, r.Read)
}

func (s Set) readTSV(path string) ([]Example, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	next := func() ([]string, error) {
		if !lines.Scan() {
			return nil, cmp.Or(lines.Err(), io.EOF)
		}
		return strings.Split(lines.Text(), "\t"), nil
	}
	return s.rows([]string{"0", "1"}, next)
}

// rows turns records into examples by column names.
func (s Set) rows(head []string, next func() ([]string, error)) ([]Example, error) {
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	for _, name := range append([]string{s.Text, s.Truth}, s.Slices...) {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("no column %q", name)
		}
	}
	var list []Example
	for {
		rec, err := next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		get := func(name string) string {
			if i := column[name]; i < len(rec) {
				return rec[i]
			}
			return ""
		}
		if slices.ContainsFunc(keys(s.Only), func(k string) bool { return get(k) != s.Only[k] }) {
			continue
		}
		e := Example{Text: get(s.Text), True: slices.Contains(s.Positive, get(s.Truth)), Slices: map[string]string{}}
		for _, name := range s.Slices {
			e.Slices[name] = get(name)
		}
		list = append(list, e)
	}
}

func keys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// readLCCC reads pairs whose characters are separated by spaces.
func readLCCC(path string) ([]Example, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []Example
	for line := range strings.Lines(string(b)) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "\t") {
			if text := strings.ReplaceAll(part, " ", ""); text != "" {
				list = append(list, Example{Text: text})
			}
		}
	}
	return list, nil
}

// readNUS reads only the text of each message; nothing about its author.
func readNUS(path string) ([]Example, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var list []Example
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".xml") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		dec := xml.NewDecoder(r)
		for {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, errors.Join(err, r.Close())
			}
			if el, ok := tok.(xml.StartElement); ok && el.Name.Local == "text" {
				var text string
				if err := dec.DecodeElement(&text, &el); err != nil {
					return nil, errors.Join(err, r.Close())
				}
				list = append(list, Example{Text: text})
			}
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// readCorpus reads our own seeds and hard negatives: one text a line,
// "context ⟂ text TAB +labels", in a file named for its label.
func readCorpus(path string) ([]Example, error) {
	var list []Example
	for _, folder := range []string{"seeds", "hard"} {
		for _, l := range pipeline.TextLabels {
			name := filepath.Join(path, folder, string(l)+".txt")
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			n := 0
			for line := range strings.Lines(string(b)) {
				n++
				line = strings.TrimRight(line, "\r\n")
				if strings.TrimSpace(line) == "" {
					continue
				}
				e, err := parseSeed(line, l, folder == "hard")
				if err != nil {
					return nil, fmt.Errorf("%s:%s: %w", name, strconv.Itoa(n), err)
				}
				list = append(list, e)
			}
		}
	}
	return list, nil
}

func parseSeed(line string, of pipeline.Label, hard bool) (Example, error) {
	e := Example{Of: of, Hard: hard}
	if !hard {
		e.Labels = append(e.Labels, of)
	}
	text, extra, _ := strings.Cut(line, "\t")
	for name := range strings.SplitSeq(strings.TrimPrefix(extra, "+"), ",") {
		l := pipeline.Label(strings.TrimPrefix(strings.TrimSpace(name), "+"))
		if l == "" {
			continue
		}
		if !l.Known() {
			return e, fmt.Errorf("unknown label %q", l)
		}
		e.Labels = append(e.Labels, l)
	}
	if before, last, ok := strings.Cut(text, "⟂"); ok {
		text = last
		for turn := range strings.SplitSeq(before, "||") {
			who, said, ok := strings.Cut(strings.TrimSpace(turn), ":")
			from, known := map[string]pipeline.From{"o": pipeline.Other, "s": pipeline.Self}[who]
			if !ok || !known {
				return e, errors.New("context: want o: or s: before each turn")
			}
			e.Context = append(e.Context, pipeline.Turn{From: from, Text: strings.TrimSpace(said)})
		}
	}
	e.Text = strings.TrimSpace(text)
	if e.Text == "" {
		return e, errors.New("no text")
	}
	return e, nil
}
