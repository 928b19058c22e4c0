package whisper

import (
	"fmt"

	"nightlight/models/onnx"
)

// opset is the ONNX operator set that the graphs ask for; Gelu came with it.
const opset = 20

// Weights says how the large matrices are written.
type Weights int

// The two ways.
const (
	Exact Weights = iota // as they are: in half precision, widened when the model is loaded
	Int8                 // whole numbers, a scale a column; what goes in is rounded as it comes
)

// Model is Whisper as it was read, ready to be written.
type Model struct {
	file                                  *file
	width, heads, encoderLayers, layers   int64
	mels, frames, vocabulary, tokensLimit int64
}

// Read reads a model file, which may come in parts.
func Read(parts ...[]byte) (*Model, error) {
	whole := parts[0]
	if len(parts) > 1 {
		whole = nil
		for _, p := range parts {
			whole = append(whole, p...)
		}
	}
	f, err := readFile(whole)
	if err != nil {
		return nil, err
	}
	if f.spec != "WhisperSpec" || f.revision != 3 {
		return nil, fmt.Errorf("read model: it is %s %d, want WhisperSpec 3", f.spec, f.revision)
	}
	m := &Model{file: f}
	for name, sizes := range map[string][]*int64{
		"encoder/conv1/weight":                 {&m.width, &m.mels, nil},
		"encoder/position_encodings/encodings": {&m.frames, nil},
		"decoder/position_encodings/encodings": {&m.tokensLimit, nil},
		"decoder/embeddings/weight":            {&m.vocabulary, nil},
	} {
		v := f.variables[name]
		if len(v.shape) != len(sizes) {
			return nil, fmt.Errorf("read model: %s has shape %v", name, v.shape)
		}
		for i, size := range sizes {
			if size != nil {
				*size = v.shape[i]
			}
		}
	}
	m.heads = m.width / headWidth
	m.encoderLayers, m.layers = f.count("encoder/layer_%d/ffn/linear_0/weight"), f.count("decoder/layer_%d/ffn/linear_0/weight")
	if m.width%headWidth != 0 || m.encoderLayers == 0 || m.layers == 0 {
		return nil, fmt.Errorf("read model: width %d, layers %d and %d", m.width, m.encoderLayers, m.layers)
	}
	return m, nil
}

// headWidth is how many of a layer's numbers one attention head has, in Whisper of every size.
const (
	headWidth = 64
	rootHead  = 8
)

func (f *file) count(pattern string) int64 {
	for n := int64(0); ; n++ {
		if _, ok := f.variables[fmt.Sprintf(pattern, n)]; !ok {
			return n
		}
	}
}

// Encoder writes the encoder. It reads "mel" [1,80,2n], n up to 1500, and gives "hidden" [n,512], which is what the
// original gives, and for each decoder layer what its cross attention looks at: "cross_k_0" [8,64,n] and "cross_v_0"
// [8,n,64], and so on, made once for a window instead of once a token.
func (m *Model) Encoder(w Weights) ([]byte, error) {
	b := m.builder("whisper-encoder", w)
	b.Input("mel", onnx.Float32, []onnx.Dim{{Size: 1}, {Size: m.mels}, {Name: "2n"}})
	x := b.conv("encoder/conv1", "mel", m.mels, 1)
	x = b.conv("encoder/conv2", x, m.width, 2)
	x = b.node("Transpose", []string{x}, onnx.Ints("perm", 0, 2, 1))
	x = b.reshape(x, -1, m.width)
	positions := b.weights("encoder/position_encodings/encodings", m.frames, m.width)
	x = b.node("Add", []string{x, b.node("Slice", []string{positions, b.ints(0), b.length(x)})})
	for i := range m.encoderLayers {
		at := fmt.Sprintf("encoder/layer_%d/", i)
		q, k, v := b.fused(at+"self_attention/", b.norm(at+"self_attention/layer_norm", x))
		seen := b.attend(b.heads(q), b.headsAcross(k), b.heads(v), "")
		x = b.node("Add", []string{x, b.linear(at+"self_attention/linear_1", seen, m.width, m.width)})
		x = b.feedForward(at, x)
	}
	x = b.norm("encoder/layer_norm", x)
	b.node2("Identity", []string{x}, "hidden")
	b.Output("hidden", onnx.Float32, []onnx.Dim{{Name: "n"}, {Size: m.width}})
	for i := range m.layers {
		kv := b.linear(fmt.Sprintf("decoder/layer_%d/attention/linear_1", i), x, m.width, 2*m.width)
		k, v := b.split2(kv)
		name := fmt.Sprintf("cross_k_%d", i)
		b.node2("Identity", []string{b.headsAcross(k)}, name)
		b.Output(name, onnx.Float32, []onnx.Dim{{Size: m.heads}, {Size: headWidth}, {Name: "n"}})
		name = fmt.Sprintf("cross_v_%d", i)
		b.node2("Identity", []string{b.heads(v)}, name)
		b.Output(name, onnx.Float32, []onnx.Dim{{Size: m.heads}, {Name: "n"}, {Size: headWidth}})
	}
	return b.marshal()
}

// Decoder writes the decoder. It reads "tokens" [t], the encoder's "cross_k_0" and so on, and "past_k_0" [1+p,512],
// "past_v_0" and so on, the keys and values of the p tokens before; the first row of each is a place-holder that is
// not looked at, because an empty tensor cannot be passed. It gives "logits" [51865] of what follows the last token,
// and "new_k_0" [t,512], "new_v_0" and so on, to be added to the past.
func (m *Model) Decoder(w Weights) ([]byte, error) {
	b := m.builder("whisper-decoder", w)
	b.Input("tokens", onnx.Int64, []onnx.Dim{{Name: "t"}})
	for i := range m.layers {
		b.Input(fmt.Sprintf("cross_k_%d", i), onnx.Float32, []onnx.Dim{{Size: m.heads}, {Size: headWidth}, {Name: "n"}})
		b.Input(fmt.Sprintf("cross_v_%d", i), onnx.Float32, []onnx.Dim{{Size: m.heads}, {Name: "n"}, {Size: headWidth}})
	}
	for i := range m.layers {
		b.Input(fmt.Sprintf("past_k_%d", i), onnx.Float32, []onnx.Dim{{Name: "1+p"}, {Size: m.width}})
		b.Input(fmt.Sprintf("past_v_%d", i), onnx.Float32, []onnx.Dim{{Name: "1+p"}, {Size: m.width}})
	}
	b.half("decoder/embeddings/weight", m.vocabulary, m.width)
	x := b.wide(b.node("Gather", []string{"decoder/embeddings/weight", "tokens"}))
	past := b.node("Sub", []string{b.length("past_k_0"), b.ints(1)})
	whole := b.node("Add", []string{past, b.length("tokens")})
	positions := b.weights("decoder/position_encodings/encodings", m.tokensLimit, m.width)
	x = b.node("Add", []string{x, b.node("Slice", []string{positions, past, whole})})
	mask := b.mask(past, whole)
	for i := range m.layers {
		at := fmt.Sprintf("decoder/layer_%d/", i)
		q, k, v := b.fused(at+"self_attention/", b.norm(at+"self_attention/layer_norm", x))
		k = b.remember("k", i, k)
		v = b.remember("v", i, v)
		seen := b.attend(b.heads(q), b.headsAcross(k), b.heads(v), mask)
		x = b.node("Add", []string{x, b.linear(at+"self_attention/linear_1", seen, m.width, m.width)})

		q = b.linear(at+"attention/linear_0", b.norm(at+"attention/layer_norm", x), m.width, m.width)
		seen = b.attend(b.heads(q), fmt.Sprintf("cross_k_%d", i), fmt.Sprintf("cross_v_%d", i), "")
		x = b.node("Add", []string{x, b.linear(at+"attention/linear_2", seen, m.width, m.width)})
		x = b.feedForward(at, x)
	}
	x = b.node("Gather", []string{b.norm("decoder/layer_norm", x), b.ints(-1)})
	x = b.matrix("decoder/projection/weight", x, m.width, m.vocabulary)
	b.node2("Reshape", []string{x, b.ints(-1)}, "logits")
	b.Output("logits", onnx.Float32, onnx.Fixed(m.vocabulary))
	for i := range m.layers {
		for _, kv := range []string{"k", "v"} {
			b.Output(fmt.Sprintf("new_%s_%d", kv, i), onnx.Float32, []onnx.Dim{{Name: "t"}, {Size: m.width}})
		}
	}
	return b.marshal()
}
