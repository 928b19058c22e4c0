package onnx_test

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"nightlight/models/onnx"
)

// sample is a graph with a bit of everything.
func sample(t testing.TB) []byte {
	t.Helper()
	g := onnx.NewGraph("sample")
	g.Input("x", onnx.Float32, []onnx.Dim{{Name: "n"}, {Size: 2}})
	g.Float32("w", []int64{2, 2}, []float32{1, 2, 3, 4})
	g.Int64("axes", []int64{1}, []int64{0})
	g.Node("MatMul", []string{"x", "w"}, []string{"y"})
	g.Node("ReduceSum", []string{"y", "axes"}, []string{"z"}, onnx.Int("keepdims", 0), onnx.Float("f", 1.5), onnx.String("s", "t"), onnx.Ints("i", 1, 2))
	g.Output("z", onnx.Float32, onnx.Fixed(2))
	g.Property("labels", "a,b")
	b, err := g.Marshal(13)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAWrittenModelIsReadBack(t *testing.T) {
	got, err := onnx.Inspect(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	if got.Opset != 13 || len(got.Inputs) != 1 || got.Inputs[0] != "x" || len(got.Outputs) != 1 || got.Outputs[0] != "z" ||
		got.Ops["MatMul"] != 1 || got.Ops["ReduceSum"] != 1 || got.Metadata["labels"] != "a,b" {
		t.Errorf("got %+v", got)
	}
	if !bytes.Equal(sample(t), sample(t)) {
		t.Error("the same calls gave other bytes")
	}
}

func TestAGraphWithAMistakeIsNotWritten(t *testing.T) {
	for name, build := range map[string]func(g *onnx.Graph){
		"a node that reads nothing":       func(g *onnx.Graph) { g.Node("Relu", []string{"nowhere"}, []string{"y"}) },
		"a name used twice":               func(g *onnx.Graph) { g.Input("x", onnx.Float32, nil); g.Input("x", onnx.Float32, nil) },
		"an output that nothing makes":    func(g *onnx.Graph) { g.Output("y", onnx.Float32, nil) },
		"a tensor with too few values":    func(g *onnx.Graph) { g.Float32("w", []int64{3}, []float32{1}) },
		"a tensor with too many integers": func(g *onnx.Graph) { g.Int64("w", nil, []int64{1, 2}) },
	} {
		g := onnx.NewGraph("bad")
		build(g)
		if _, err := g.Marshal(13); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// message writes one length-delimited field.
func message(field protowire.Number, content ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), bytes.Join(content, nil))
}

func number(field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
}

func TestAModelThatPointsToOtherFilesIsRefusedWhereverItSaysSo(t *testing.T) {
	location := message(13, message(1, []byte("location")), message(2, []byte("/etc/passwd")))
	external := number(14, 1)
	const graph, initializer, sparse, nodeField, attribute = 7, 5, 15, 1, 5
	for name, model := range map[string][]byte{
		"in an initializer":           message(graph, message(initializer, location)),
		"by the kind of location":     message(graph, message(initializer, external)),
		"in sparse values":            message(graph, message(sparse, message(1, external))),
		"in a constant's attribute":   message(graph, message(nodeField, message(attribute, message(5, location)))),
		"in a list of tensors":        message(graph, message(nodeField, message(attribute, message(10, external)))),
		"in a sparse attribute":       message(graph, message(nodeField, message(attribute, message(22, message(2, external))))),
		"in a sub-graph":              message(graph, message(nodeField, message(attribute, message(6, message(initializer, location))))),
		"in a list of sub-graphs":     message(graph, message(nodeField, message(attribute, message(11, message(initializer, location))))),
		"in a function":               append(message(graph), message(25, message(7, message(attribute, message(5, location))))...),
		"after a harmless first part": append(message(graph), message(graph, message(initializer, location))...),
	} {
		if _, err := onnx.Inspect(model); !errors.Is(err, onnx.ErrExternalData) {
			t.Errorf("%s: got %v, want ErrExternalData", name, err)
		}
	}
}

func TestWhatIsNoModelIsRefused(t *testing.T) {
	deep := message(5)
	for range 40 {
		deep = message(1, message(5, message(6, deep)))
	}
	whole := sample(t)
	for name, model := range map[string][]byte{
		"nothing":                  nil,
		"text":                     []byte("version https://git-lfs.github.com/spec/v1\n"),
		"a model that is cut":      whole[:len(whole)-9],
		"a model without a graph":  number(1, 7),
		"training information":     append(message(7), message(20)...),
		"graphs nested too deeply": message(7, deep),
	} {
		if _, err := onnx.Inspect(model); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte{0x3a, 0x02, 0x2a, 0x00})
	f.Fuzz(func(t *testing.T, model []byte) {
		sum, err := onnx.Inspect(model)
		if err == nil && sum.Ops == nil {
			t.Fatal("no error and no summary")
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	model := sample(b)
	for b.Loop() {
		if _, err := onnx.Inspect(model); err != nil {
			b.Fatal(err)
		}
	}
}
