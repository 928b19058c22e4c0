package ngram_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"nightlight/models/ngram"
	"nightlight/models/tokenizer"
)

func extractor(t testing.TB) *ngram.Extractor {
	t.Helper()
	table, err := os.ReadFile("../weights/text-encoder/fold.tsv.gz")
	if err != nil {
		t.Fatal(err)
	}
	fold, err := tokenizer.ParseFold(table)
	if err != nil {
		t.Fatal(err)
	}
	return ngram.New(fold)
}

func TestEveryGoldenTextHasTheBucketsOfTheTraining(t *testing.T) {
	text, err := os.ReadFile("../weights/text-linear/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Context []struct{ From, Text string }
		Text    string
		Windows [][]int64
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 50 {
		t.Fatalf("%d texts are stored, want 50", len(rows))
	}
	e := extractor(t)
	for i, row := range rows {
		var turns []tokenizer.Turn
		for _, c := range row.Context {
			turns = append(turns, tokenizer.Turn{Self: c.From == "self", Text: c.Text})
		}
		windows, _ := e.Windows(row.Text, turns)
		if len(windows) != len(row.Windows) {
			t.Errorf("text %d: got %d windows, want %d", i, len(windows), len(row.Windows))
			continue
		}
		for w, got := range windows {
			if !slices.Equal(got.Buckets, row.Windows[w]) {
				t.Errorf("text %d window %d: got %v, want %v", i, w, got.Buckets, row.Windows[w])
			}
		}
	}
}

func TestWindowsCoverALongTextAndKnowWhereTheyStand(t *testing.T) {
	e := extractor(t)
	for _, n := range []int{1, 255, 256, 257, 448, 449, 5000} {
		text := "  " + strings.Repeat("好", n) + " \n"
		windows, han := e.Windows(text, nil)
		end := 2
		for _, w := range windows {
			if w.Start > end || w.End <= w.Start {
				t.Errorf("%d characters: a window from %d to %d after one that ends at %d", n, w.Start, w.End, end)
			}
			end = w.End
		}
		if windows[0].Start != 2 || end != n+2 || !han {
			t.Errorf("%d characters: windows from %d to %d, Chinese %v, want 2 to %d, true", n, windows[0].Start, end, han, n+2)
		}
	}
}

func TestATextOfNothingStillHasOneWindow(t *testing.T) {
	for _, text := range []string{"", "   ", "\n\t", "\xff"} {
		windows, han := extractor(t).Windows(text, nil)
		if len(windows) != 1 || len(windows[0].Buckets) != 0 || windows[0].End != 0 || han {
			t.Errorf("%q: got %v, %v, want one empty window", text, windows, han)
		}
	}
}

func TestOnlyTheNewestTwoTurnsCountAndWhoSpokeMatters(t *testing.T) {
	e := extractor(t)
	bucketsOf := func(turns ...tokenizer.Turn) []int64 {
		windows, _ := e.Windows("ok", turns)
		return windows[0].Buckets
	}
	a, b, c := tokenizer.Turn{Text: "abc"}, tokenizer.Turn{Text: "def"}, tokenizer.Turn{Text: "ghi"}
	if !slices.Equal(bucketsOf(a, b, c), bucketsOf(b, c)) {
		t.Error("a third turn back changed the features")
	}
	mine := c
	mine.Self = true
	if slices.Equal(bucketsOf(b, c), bucketsOf(b, mine)) {
		t.Error("the same words by sender and recipient gave the same features")
	}
}

func FuzzWindows(f *testing.F) {
	e := extractor(f)
	for _, text := range []string{"", "hi 你好", "\xff\x00", strings.Repeat("ab ", 200)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		points := len([]rune(text))
		windows, _ := e.Windows(text, []tokenizer.Turn{{Text: text}})
		for _, w := range windows {
			if w.Start < 0 || w.Start > w.End || w.End > points {
				t.Fatalf("span %d to %d of %d code points", w.Start, w.End, points)
			}
			for i, b := range w.Buckets {
				if b < 0 || b >= ngram.Buckets || i > 0 && b <= w.Buckets[i-1] {
					t.Fatalf("bucket %d at %d", b, i)
				}
			}
		}
	})
}

func BenchmarkWindows(b *testing.B) {
	e := extractor(b)
	turns := []tokenizer.Turn{{Text: "出来见一面"}}
	for name, text := range map[string]string{
		"chat_zh": "周六下午要不要出来打球，我在老地方等你",
		"chat_en": "are you coming to practice on saturday or not lol",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Windows(text, turns)
			}
		})
	}
}
