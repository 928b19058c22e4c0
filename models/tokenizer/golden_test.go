package tokenizer_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"nightlight/models/tokenizer"
)

const weights = "../weights/text-encoder/"

func load(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	vocab, err := os.ReadFile(weights + "vocab.tsv.gz")
	if err != nil {
		t.Fatal(err)
	}
	fold, err := os.ReadFile(weights + "fold.tsv.gz")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.New(vocab, fold)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// golden is one line of what the reference said.
type golden struct {
	Text    *string
	Hex     string
	IDs     []int64
	Context []struct{ From, Text string }
	Inputs  [][]int64
}

func (g golden) text(t testing.TB) string {
	if g.Text != nil {
		return *g.Text
	}
	b, err := hex.DecodeString(g.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (g golden) turns() []tokenizer.Turn {
	var turns []tokenizer.Turn
	for _, c := range g.Context {
		turns = append(turns, tokenizer.Turn{Self: c.From == "self", Text: c.Text})
	}
	return turns
}

func goldens(t testing.TB) []golden {
	t.Helper()
	file, err := os.ReadFile(weights + "golden.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	gz, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	lines := bufio.NewScanner(gz)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func ids(tokens []tokenizer.Token) []int64 {
	out := make([]int64, len(tokens))
	for i, tok := range tokens {
		out[i] = int64(tok.ID)
	}
	return out
}

func TestEveryGoldenStringGetsTheIDsOfTheReference(t *testing.T) {
	tok := load(t)
	plain, arranged, wrong := 0, 0, 0
	for i, g := range goldens(t) {
		text := g.text(t)
		if g.Inputs == nil {
			plain++
			if got := ids(tok.Append(nil, text)); !slices.Equal(got, g.IDs) {
				wrong++
				t.Errorf("line %d: got %v, want %v", i+1, got, g.IDs)
			}
			continue
		}
		arranged++
		inputs := tok.Inputs(g.turns(), text)
		if len(inputs) != len(g.Inputs) {
			t.Errorf("line %d: got %d windows, want %d", i+1, len(inputs), len(g.Inputs))
			continue
		}
		for w, in := range inputs {
			if !slices.Equal(in.IDs, g.Inputs[w]) {
				wrong++
				t.Errorf("line %d window %d: got %v, want %v", i+1, w, in.IDs, g.Inputs[w])
			}
		}
		if wrong > 20 {
			t.Fatal("and so on")
		}
	}
	if plain < 20_000 || arranged < 500 {
		t.Errorf("only %d strings and %d conversations are stored, want 20,000 and 500", plain, arranged)
	}
	t.Logf("%d strings, %d conversations, %d differences", plain, arranged, wrong)
}
