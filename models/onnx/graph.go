// Package onnx writes and inspects ONNX model files. It exists because models that arrive in another format are
// converted at set-up without Python, because tests need small graphs of their own, and because a model file is
// looked into before ONNX Runtime may open it: a file that points to other files on disk must never be loaded.
// It speaks the protobuf wire format directly; only the few messages that are needed are known here.
package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ElemType is the element type of a tensor, with the numbers of ONNX's TensorProto.
type ElemType int64

// The element types that our graphs use.
const (
	Float32 ElemType = 1
	Uint8   ElemType = 2
	Int8    ElemType = 3
	Int32   ElemType = 6
	Int64   ElemType = 7
	Bool    ElemType = 9
	Float16 ElemType = 10
)

// Dim is one dimension of an input or output: a fixed size, or, if Name is set, one that is known only when the
// model runs.
type Dim struct {
	Size int64
	Name string
}

// Fixed gives dimensions of known sizes.
func Fixed(sizes ...int64) []Dim {
	dims := make([]Dim, len(sizes))
	for i, s := range sizes {
		dims[i].Size = s
	}
	return dims
}

// Graph collects the parts of a model in the order in which they are added, so that the same calls give the same
// bytes on every machine.
type Graph struct {
	name         string
	nodes        [][]byte
	initializers [][]byte
	inputs       [][]byte
	outputs      [][]byte
	properties   [][]byte
	taken        map[string]bool
	err          error
}

// NewGraph starts an empty graph.
func NewGraph(name string) *Graph {
	return &Graph{name: name, taken: map[string]bool{}}
}

// Input declares an input of the model.
func (g *Graph) Input(name string, elem ElemType, dims []Dim) {
	g.claim(name)
	g.inputs = append(g.inputs, valueInfo(name, elem, dims))
}

// Output declares an output of the model; a node or input must produce its name.
func (g *Graph) Output(name string, elem ElemType, dims []Dim) {
	if !g.taken[name] {
		g.fail(fmt.Errorf("output %q is made by no node", name))
	}
	g.outputs = append(g.outputs, valueInfo(name, elem, dims))
}

// Float32 adds a constant tensor.
func (g *Graph) Float32(name string, shape []int64, values []float32) {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	g.tensor(name, Float32, shape, len(values), raw)
}

// Int64 adds a constant tensor.
func (g *Graph) Int64(name string, shape []int64, values []int64) {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	g.tensor(name, Int64, shape, len(values), raw)
}

// Int8 adds a constant tensor.
func (g *Graph) Int8(name string, shape []int64, values []int8) {
	raw := make([]byte, len(values))
	for i, v := range values {
		raw[i] = byte(v)
	}
	g.tensor(name, Int8, shape, len(values), raw)
}

// Float16 adds a constant tensor of half precision, given by its bits.
func (g *Graph) Float16(name string, shape []int64, bits []uint16) {
	raw := make([]byte, 0, 2*len(bits))
	for _, v := range bits {
		raw = binary.LittleEndian.AppendUint16(raw, v)
	}
	g.tensor(name, Float16, shape, len(bits), raw)
}

// Node adds one operator. An input must exist already: graphs are written in the order in which they run.
func (g *Graph) Node(op string, inputs, outputs []string, attrs ...Attr) {
	var b []byte
	for _, name := range inputs {
		if name != "" && !g.taken[name] {
			g.fail(fmt.Errorf("node %s reads %q, which nothing before it makes", op, name))
		}
		b = appendString(b, 1, name)
	}
	for _, name := range outputs {
		g.claim(name)
		b = appendString(b, 2, name)
	}
	if len(outputs) > 0 {
		b = appendString(b, 3, outputs[0])
	}
	b = appendString(b, 4, op)
	for _, a := range attrs {
		b = appendBytes(b, 5, a.wire)
	}
	g.nodes = append(g.nodes, b)
}

// Property writes a line about the model into it, which its reader can look up.
func (g *Graph) Property(key, value string) {
	g.properties = append(g.properties, appendString(appendString(nil, 1, key), 2, value))
}

// Marshal gives the bytes of the model, or the first mistake that was made while adding parts.
func (g *Graph) Marshal(opset int64) ([]byte, error) {
	if g.err != nil {
		return nil, fmt.Errorf("write graph %s: %w", g.name, g.err)
	}
	var graph []byte
	for _, n := range g.nodes {
		graph = appendBytes(graph, 1, n)
	}
	graph = appendString(graph, 2, g.name)
	for _, t := range g.initializers {
		graph = appendBytes(graph, 5, t)
	}
	for _, v := range g.inputs {
		graph = appendBytes(graph, 11, v)
	}
	for _, v := range g.outputs {
		graph = appendBytes(graph, 12, v)
	}
	var b []byte
	b = appendVarint(b, 1, irVersion(opset))
	b = appendString(b, 2, "nightlight")
	b = appendBytes(b, 8, appendVarint(nil, 2, uint64(opset)))
	b = appendBytes(b, 7, graph)
	for _, p := range g.properties {
		b = appendBytes(b, 14, p)
	}
	return b, nil
}

// irVersion is the version of the file format that came with an operator set.
func irVersion(opset int64) uint64 {
	switch {
	case opset < 15:
		return 7
	case opset < 19:
		return 8
	}
	return 9
}

func (g *Graph) tensor(name string, elem ElemType, shape []int64, count int, raw []byte) {
	want := int64(1)
	for _, d := range shape {
		want *= d
	}
	if want != int64(count) {
		g.fail(fmt.Errorf("tensor %q of shape %v has %d values", name, shape, count))
	}
	g.claim(name)
	var b []byte
	for _, d := range shape {
		b = appendVarint(b, 1, uint64(d))
	}
	b = appendVarint(b, 2, uint64(elem))
	b = appendString(b, 8, name)
	b = appendBytes(b, 9, raw)
	g.initializers = append(g.initializers, b)
}

func (g *Graph) claim(name string) {
	if g.taken[name] {
		g.fail(fmt.Errorf("name %q is used twice", name))
	}
	g.taken[name] = true
}

func (g *Graph) fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

// Attr is an attribute of a node.
type Attr struct{ wire []byte }

// Int is an integer attribute.
func Int(name string, v int64) Attr {
	b := appendString(nil, 1, name)
	b = appendVarint(b, 3, uint64(v))
	return Attr{appendVarint(b, 20, 2)}
}

// Float is a floating point attribute.
func Float(name string, v float32) Attr {
	b := appendString(nil, 1, name)
	b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, math.Float32bits(v))
	return Attr{appendVarint(b, 20, 1)}
}

// String is a text attribute.
func String(name, v string) Attr {
	b := appendString(nil, 1, name)
	b = appendString(b, 4, v)
	return Attr{appendVarint(b, 20, 3)}
}

// Ints is an attribute that lists integers.
func Ints(name string, vs ...int64) Attr {
	b := appendString(nil, 1, name)
	for _, v := range vs {
		b = appendVarint(b, 8, uint64(v))
	}
	return Attr{appendVarint(b, 20, 7)}
}

func valueInfo(name string, elem ElemType, dims []Dim) []byte {
	var shape []byte
	for _, d := range dims {
		var dim []byte
		if d.Name != "" {
			dim = appendString(nil, 2, d.Name)
		} else {
			dim = appendVarint(nil, 1, uint64(d.Size))
		}
		shape = appendBytes(shape, 1, dim)
	}
	tensor := appendVarint(nil, 1, uint64(elem))
	tensor = appendBytes(tensor, 2, shape)
	b := appendString(nil, 1, name)
	return appendBytes(b, 2, appendBytes(nil, 1, tensor))
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendString(b []byte, field protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}
