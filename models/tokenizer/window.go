package tokenizer

// The shape of what the text encoder reads, in tokens.
const (
	MaxTokens = 96 // the longest input
	Window    = 64 // of the text, in one input
	Stride    = 48 // from the start of one window to the next
	TurnHead  = 24 // of one earlier message: its first ones
	MaxTurns  = 4  // earlier messages: the newest
)

// Turn is an earlier message of the conversation.
type Turn struct {
	Self bool // by the sender of the text that is judged
	Text string
}

// Input is one window of a text, ready for the model.
type Input struct {
	IDs        []int64 // with specials, context and the window
	Start, End int     // the bytes of the text that the window covers; both 0 if it has no tokens
}

// Inputs gives the inputs that cover text from start to end, each with as much of the conversation before it as
// fits. Turns are given oldest first. A text without a single token still gives one input, so that it is judged.
func (t *Tokenizer) Inputs(turns []Turn, text string) []Input {
	tokens := t.Append(make([]Token, 0, len(text)/3+4), text)
	context := t.turns(turns)
	var inputs []Input
	for at := 0; ; at += Stride {
		window := tokens[min(at, len(tokens)):min(at+Window, len(tokens))]
		inputs = append(inputs, arrange(context, window))
		if at+Window >= len(tokens) {
			return inputs
		}
	}
}

// turns tokenizes the newest turns, newest first; each begins with the mark of who wrote it, alone if it has no
// tokens.
func (t *Tokenizer) turns(turns []Turn) [][]int64 {
	turns = turns[max(0, len(turns)-MaxTurns):]
	out := make([][]int64, 0, len(turns))
	var tokens []Token
	for i := len(turns) - 1; i >= 0; i-- {
		tokens = t.appendUpTo(tokens[:0], turns[i].Text, TurnHead)
		tokens = tokens[:min(TurnHead, len(tokens))]
		ids := append(make([]int64, 0, len(tokens)+1), Other)
		if turns[i].Self {
			ids[0] = Self
		}
		out = append(out, appendIDs(ids, tokens))
	}
	return out
}

// arrange puts the turns that fit before a window. Turns are taken from the newest back until one does not fit.
func arrange(turns [][]int64, window []Token) Input {
	room := MaxTokens - 3 - len(window)
	var kept [MaxTurns]int
	n, size := 0, 0
	for i, turn := range turns {
		if len(turn) > room {
			break
		}
		if len(turn) == 1 {
			continue
		}
		kept[n] = i
		n++
		size += len(turn)
		room -= len(turn)
	}
	in := Input{IDs: make([]int64, 0, size+len(window)+3)}
	in.IDs = append(in.IDs, BOS)
	for i := n - 1; i >= 0; i-- {
		in.IDs = append(in.IDs, turns[kept[i]]...)
	}
	if n > 0 {
		in.IDs = append(in.IDs, Text)
	}
	in.IDs = append(appendIDs(in.IDs, window), EOS)
	if len(window) > 0 {
		in.Start, in.End = int(window[0].Start), int(window[len(window)-1].End)
	}
	return in
}

func appendIDs(ids []int64, tokens []Token) []int64 {
	for _, t := range tokens {
		ids = append(ids, int64(t.ID))
	}
	return ids
}
