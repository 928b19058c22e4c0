package whisper

import (
	"fmt"
	"math"

	"nightlight/models/onnx"
)

// builder writes the parts that encoder and decoder are made of. Each gives the name of what it made. The first
// mistake stays and comes out of marshal.
type builder struct {
	*onnx.Graph
	model   *Model
	how     Weights
	count   int
	lists   map[string]string // constants by value
	rounded map[string][3]string
	err     error
}

func (m *Model) builder(name string, how Weights) *builder {
	return &builder{Graph: onnx.NewGraph(name), model: m, how: how, lists: map[string]string{}, rounded: map[string][3]string{}}
}

func (b *builder) marshal() ([]byte, error) {
	if b.err != nil {
		return nil, fmt.Errorf("convert whisper: %w", b.err)
	}
	return b.Marshal(opset)
}

func (b *builder) name() string {
	b.count++
	return fmt.Sprintf("v%d", b.count)
}

func (b *builder) node(op string, inputs []string, attrs ...onnx.Attr) string {
	out := b.name()
	b.Node(op, inputs, []string{out}, attrs...)
	return out
}

func (b *builder) node2(op string, inputs []string, out string) { b.Node(op, inputs, []string{out}) }

// ints is a constant list of whole numbers.
func (b *builder) ints(values ...int64) string {
	key := fmt.Sprint(values)
	if b.lists[key] == "" {
		b.lists[key] = b.name()
		b.Int64(b.lists[key], []int64{int64(len(values))}, values)
	}
	return b.lists[key]
}

func (b *builder) scalar(v float32) string {
	key := fmt.Sprint("float ", v)
	if b.lists[key] == "" {
		b.lists[key] = b.name()
		b.Float32(b.lists[key], nil, []float32{v})
	}
	return b.lists[key]
}

// fail keeps the first mistake.
func (b *builder) fail(err error) string {
	if b.err == nil {
		b.err = err
	}
	return ""
}

// weights writes a tensor of the file in half precision, as it is there, and gives it widened. ONNX Runtime widens it
// once, when it loads the model.
func (b *builder) weights(name string, shape ...int64) string { return b.wide(b.half(name, shape...)) }

// half writes a tensor of the file in half precision.
func (b *builder) half(name string, shape ...int64) string {
	bits, err := b.model.file.half(name, shape...)
	if err != nil {
		return b.fail(err)
	}
	b.Float16(name, shape, bits)
	return name
}

// wide gives half precision as float32.
func (b *builder) wide(x string) string {
	return b.node("Cast", []string{x}, onnx.Int("to", int64(onnx.Float32)))
}

func (b *builder) reshape(x string, shape ...int64) string {
	return b.node("Reshape", []string{x, b.ints(shape...)})
}

// length is the first dimension, as a list of one number.
func (b *builder) length(x string) string {
	return b.node("Shape", []string{x}, onnx.Int("start", 0), onnx.Int("end", 1))
}

// conv is a convolution over time with three steps at once, and its activation.
func (b *builder) conv(at, x string, in, stride int64) string {
	n := b.model.width
	x = b.node("Conv", []string{x, b.weights(at+"/weight", n, in, 3), b.weights(at+"/bias", n)}, onnx.Ints("pads", 1, 1), onnx.Ints("strides", stride))
	return b.node("Gelu", []string{x})
}

func (b *builder) norm(at, x string) string {
	n := b.model.width
	return b.node("LayerNormalization", []string{x, b.weights(at+"/gamma", n), b.weights(at+"/beta", n)}, onnx.Float("epsilon", 1e-5))
}

func (b *builder) feedForward(at, x string) string {
	n := b.model.width
	h := b.node("Gelu", []string{b.linear(at+"ffn/linear_0", b.norm(at+"ffn/layer_norm", x), n, 4*n)})
	return b.node("Add", []string{x, b.linear(at+"ffn/linear_1", h, 4*n, n)})
}

// linear is a matrix product and its bias.
func (b *builder) linear(at, x string, in, out int64) string {
	return b.node("Add", []string{b.matrix(at+"/weight", x, in, out), b.weights(at+"/bias", out)})
}

// fused makes queries, keys and values in one product.
func (b *builder) fused(at, x string) (q, k, v string) {
	n := b.model.width
	y := b.linear(at+"linear_0", x, n, 3*n)
	q, k, v = b.name(), b.name(), b.name()
	b.Node("Split", []string{y, b.ints(n, n, n)}, []string{q, k, v}, onnx.Int("axis", 1))
	return q, k, v
}

func (b *builder) split2(x string) (k, v string) {
	k, v = b.name(), b.name()
	n := b.model.width
	b.Node("Split", []string{x, b.ints(n, n)}, []string{k, v}, onnx.Int("axis", 1))
	return k, v
}

// heads turns [n,512] into [8,n,64].
func (b *builder) heads(x string) string {
	return b.node("Transpose", []string{b.reshape(x, -1, b.model.heads, headWidth)}, onnx.Ints("perm", 1, 0, 2))
}

// headsAcross turns [n,512] into [8,64,n].
func (b *builder) headsAcross(x string) string {
	return b.node("Transpose", []string{b.reshape(x, -1, b.model.heads, headWidth)}, onnx.Ints("perm", 1, 2, 0))
}

// attend gives [n,512] of what queries [8,n,64] see in keys [8,64,m] and values [8,m,64].
func (b *builder) attend(q, k, v, mask string) string {
	q = b.node("Mul", []string{q, b.scalar(1.0 / rootHead)})
	s := b.node("MatMul", []string{q, k})
	if mask != "" {
		s = b.node("Add", []string{s, mask})
	}
	s = b.node("Softmax", []string{s}, onnx.Int("axis", -1))
	y := b.node("Transpose", []string{b.node("MatMul", []string{s, v})}, onnx.Ints("perm", 1, 0, 2))
	return b.reshape(y, -1, b.model.width)
}

// remember gives the past and the new keys or values together, and the new ones to the caller.
func (b *builder) remember(kv string, layer int64, x string) string {
	name := fmt.Sprintf("new_%s_%d", kv, layer)
	b.node2("Identity", []string{x}, name)
	past := b.node("Slice", []string{fmt.Sprintf("past_%s_%d", kv, layer), b.ints(1), b.ints(math.MaxInt64)})
	return b.node("Concat", []string{past, x}, onnx.Int("axis", 0))
}

// mask [t,p+t] hides from each token those that come after it.
func (b *builder) mask(past, whole string) string {
	zero, one := b.name(), b.name()
	b.Int64(zero, nil, []int64{0})
	b.Int64(one, nil, []int64{1})
	squeeze := func(x string) string { return b.node("Squeeze", []string{x, b.ints(0)}) }
	keys := b.node("Range", []string{zero, squeeze(whole), one})
	rows := b.node("Range", []string{squeeze(past), squeeze(whole), one})
	rows = b.node("Unsqueeze", []string{rows, b.ints(1)})
	after := b.node("Greater", []string{keys, rows})
	return b.node("Where", []string{after, b.scalar(-1e9), b.scalar(0)})
}
