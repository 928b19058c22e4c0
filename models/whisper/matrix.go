package whisper

import (
	"math"

	"nightlight/models/onnx"
)

// levels is the largest whole number of a weight: seven bits with their sign.
const levels = 63

// matrix multiplies x [n,in] by a weight of the file, which is [out,in] there.
func (b *builder) matrix(name, x string, in, out int64) string {
	if b.how == Exact {
		bits, err := b.model.file.half(name, out, in)
		if err != nil {
			return b.fail(err)
		}
		b.Float16(name, []int64{in, out}, turned(bits, int(out), int(in)))
		return b.node("MatMul", []string{x, b.wide(name)})
	}
	w, err := b.model.file.floats(name, out, in)
	if err != nil {
		return b.fail(err)
	}
	whole, scales := rounded(w, int(out), int(in))
	b.Int8(name, []int64{in, out}, whole)
	b.Float32(name+"/scale", []int64{out}, scales)
	q := b.round(x)
	y := b.node("MatMulInteger", []string{q[0], name, q[2]})
	y = b.node("Cast", []string{y}, onnx.Int("to", int64(onnx.Float32)))
	return b.node("Mul", []string{y, b.node("Mul", []string{q[1], name + "/scale"})})
}

// round gives x in eight bits, with its scale and its zero, which are found anew in each run.
func (b *builder) round(x string) [3]string {
	if q, ok := b.rounded[x]; ok {
		return q
	}
	q := [3]string{b.name(), b.name(), b.name()}
	b.Node("DynamicQuantizeLinear", []string{x}, q[:])
	b.rounded[x] = q
	return q
}

// turned gives [in,out] of [out,in].
func turned[T any](w []T, out, in int) []T {
	t := make([]T, len(w))
	for o := range out {
		for i := range in {
			t[i*out+o] = w[o*in+i]
		}
	}
	return t
}

// rounded gives w as whole numbers, turned, and what each column is to be multiplied by.
func rounded(w []float32, out, in int) ([]int8, []float32) {
	whole, scales := make([]int8, len(w)), make([]float32, out)
	for o := range out {
		row, most := w[o*in:(o+1)*in], float32(0)
		for _, v := range row {
			most = max(most, float32(math.Abs(float64(v))))
		}
		if most == 0 {
			most = 1
		}
		scales[o] = most / levels
		for i, v := range row {
			whole[o*in+i] = int8(math.RoundToEven(float64(v) / float64(scales[o])))
		}
	}
	return turned(whole, out, in), scales
}
