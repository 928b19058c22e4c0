package tokenizer_test

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"sync"
	"testing"

	"nightlight/models/tokenizer"
)

func TestATokenKnowsTheBytesItCameFrom(t *testing.T) {
	tok := load(t)
	for _, text := range []string{
		"hello there",
		"你好呀，几点出来",
		"ＨＥＬＬＯ　加 v 信",
		"a\u200bb\u200dc",
		"caf\u00e9 ﬁne ㍿",
		"   lead and trail   ",
		"broken \xff\xfe bytes \xe4\xbd",
		"👨‍👩‍👧 family",
	} {
		last := int32(0)
		covered := make([]bool, len(text))
		for _, tk := range tok.Append(nil, text) {
			if tk.Start < last || tk.End < tk.Start || int(tk.End) > len(text) {
				t.Errorf("%q: token %d has span %d to %d after %d", text, tk.ID, tk.Start, tk.End, last)
			}
			last = tk.Start
			for i := tk.Start; i < tk.End; i++ {
				covered[i] = true
			}
		}
		for i, r := range text {
			folded, changed := tok.Fold().Rune(r)
			seen := !changed && r != ' ' || changed && strings.TrimSpace(string(folded)) != ""
			if seen && !covered[i] {
				t.Errorf("%q: no token covers %q at byte %d", text, r, i)
			}
		}
	}
}

func TestFoldingReadsThroughDisguises(t *testing.T) {
	fold := load(t).Fold()
	for in, want := range map[string]string{
		"ＡＢＣ１２３":           "abc123",
		"體驗":               "体验",
		"soft\u00adhyphen": "softhyphen",
		"Ｔab\tand\nline":   "tab and line",
		"\xff":             " ",
		"":                 "",
	} {
		if got := fold.String(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestTextThatSpellsOutSpecialsIsOrdinaryText(t *testing.T) {
	tok := load(t)
	for _, tk := range tok.Append(nil, "<s> </s> <pad> <self> <other> <text> [MASK]") {
		if tk.ID < 7 && tk.ID != tokenizer.Unk {
			t.Errorf("text gave the special token %d", tk.ID)
		}
	}
}

func TestEveryTokenOfALongTextStandsInAWindow(t *testing.T) {
	tok := load(t)
	for _, n := range []int{0, 1, 63, 64, 65, 111, 112, 113, 500, 20_000} {
		text := strings.Repeat("你", n)
		tokens := tok.Append(nil, text)
		inputs := tok.Inputs([]tokenizer.Turn{{Text: "hi"}, {Self: true, Text: "出来见一面"}}, text)
		end := 0
		for _, in := range inputs {
			if len(in.IDs) > tokenizer.MaxTokens {
				t.Errorf("%d characters: an input of %d tokens, want at most %d", n, len(in.IDs), tokenizer.MaxTokens)
			}
			if in.Start > end {
				t.Errorf("%d characters: bytes %d to %d are in no window", n, end, in.Start)
			}
			end = max(end, in.End)
		}
		if len(tokens) > 0 && end != len(text) {
			t.Errorf("%d characters: windows end at byte %d, want %d", n, end, len(text))
		}
		if len(inputs) == 0 {
			t.Errorf("%d characters: no input at all", n)
		}
	}
}

func TestOneTokenizerServesManyGoroutines(t *testing.T) {
	tok := load(t)
	texts := []string{"你好呀，几点出来", "come outside alone", "加v信 jia wei", strings.Repeat("哈", 300)}
	want := make([][]tokenizer.Token, len(texts))
	for i, text := range texts {
		want[i] = tok.Append(nil, text)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 400 {
				k := i % len(texts)
				if got := tok.Append(nil, texts[k]); !slices.Equal(got, want[k]) {
					t.Errorf("got %v, want %v", got, want[k])
					return
				}
			}
		})
	}
	group.Wait()
}

func TestABrokenTableIsAnError(t *testing.T) {
	good := zipped("<s>\t0\n<pad>\t0\n</s>\t0\n<unk>\t0\n<self>\t0\n<other>\t0\n<text>\t0\na\t-5\n")
	if _, err := tokenizer.New(good, zipped("41\t61\n")); err != nil {
		t.Fatal(err)
	}
	for name, tables := range map[string][2][]byte{
		"no gzip":               {[]byte("a"), zipped("")},
		"no vocabulary":         {zipped(""), zipped("")},
		"specials out of place": {zipped("<pad>\t0\n<s>\t0\n</s>\t0\n<unk>\t0\n<self>\t0\n<other>\t0\n<text>\t0\na\t-5\n"), zipped("")},
		"a score that is none":  {zipped("<s>\tzero\n"), zipped("")},
		"a piece twice":         {zipped("<s>\t0\n<pad>\t0\n</s>\t0\n<unk>\t0\n<self>\t0\n<other>\t0\n<text>\t0\na\t-5\na\t-6\n"), zipped("")},
		"a fold without a tab":  {good, zipped("41 61\n")},
		"a fold beyond Unicode": {good, zipped("41\t110000\n")},
		"a fold of nothing":     {good, zipped("FFFFFFF\t61\n")},
		"a fold that is cut":    {good, zipped("41\t61\n")[:12]},
	} {
		if _, err := tokenizer.New(tables[0], tables[1]); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func zipped(text string) []byte {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	gz.Write([]byte(text))
	gz.Close()
	return b.Bytes()
}

func FuzzTokens(f *testing.F) {
	tok := load(f)
	for _, text := range []string{"", "hello", "你好", "\xff\xfe", "▁▁", "<s>", "a\u0301", "👨‍👩‍👧", strings.Repeat("x ", 70)} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, text, turn string) {
		tokens := tok.Append(nil, text)
		if again := tok.Append(nil, text); !slices.Equal(tokens, again) {
			t.Fatal("the same text gave other tokens")
		}
		for _, tk := range tokens {
			if int(tk.ID) >= tok.Size() || tk.ID < 0 || tk.ID < 7 && tk.ID != tokenizer.Unk {
				t.Fatalf("id %d", tk.ID)
			}
			if tk.Start < 0 || tk.Start > tk.End || int(tk.End) > len(text) {
				t.Fatalf("span %d to %d of %d bytes", tk.Start, tk.End, len(text))
			}
		}
		for _, in := range tok.Inputs([]tokenizer.Turn{{Text: turn}, {Self: true, Text: text}}, text) {
			if len(in.IDs) < 2 || len(in.IDs) > tokenizer.MaxTokens || in.IDs[0] != tokenizer.BOS || in.IDs[len(in.IDs)-1] != tokenizer.EOS {
				t.Fatalf("input %v", in.IDs)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	tok := load(b)
	for name, text := range map[string]string{
		"chat_zh": "周六下午要不要出来打球，我在老地方等你",
		"chat_en": "are you coming to practice on saturday or not lol",
		"long":    strings.Repeat("周六下午要不要出来打球 see you there, ", 500),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			var tokens []tokenizer.Token
			for b.Loop() {
				tokens = tok.Append(tokens[:0], text)
			}
		})
	}
}

func BenchmarkInputs(b *testing.B) {
	tok := load(b)
	turns := []tokenizer.Turn{{Text: "出来见一面"}, {Self: true, Text: "好呀 几点"}, {Text: "八点 别告诉你妈"}}
	b.ReportAllocs()
	for b.Loop() {
		tok.Inputs(turns, "ok 我等下出门")
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		load(b)
	}
}
