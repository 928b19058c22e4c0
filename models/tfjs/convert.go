package tfjs

import (
	"errors"
	"fmt"
	"slices"

	"nightlight/models/onnx"
)

// opset is the ONNX operator set that the converted model asks for.
const opset = 13

// Convert turns a TensorFlow.js graph model into an ONNX model: the topology's JavaScript file and its shards in
// order. The result takes "input" [N,side,side,3] and gives "probabilities" [N,classes]; the same files give the
// same bytes. Inside, pictures are carried channels first, as ONNX wants them.
func Convert(name string, modelJS []byte, shardsJS ...[]byte) ([]byte, error) {
	t, err := parseTopology(modelJS)
	if err != nil {
		return nil, fmt.Errorf("convert %s: topology: %w", name, err)
	}
	joined, err := join(shardsJS)
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", name, err)
	}
	weights, err := weightsOf(t.Manifest[0].Weights, joined)
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", name, err)
	}
	c := converter{graph: onnx.NewGraph(name), weights: weights, values: map[string]string{}}
	for _, n := range t.Topology.Nodes {
		if err := c.node(n); err != nil {
			return nil, fmt.Errorf("convert %s: node %s: %w", name, n.Name, err)
		}
	}
	if !c.done {
		return nil, fmt.Errorf("convert %s: no output", name)
	}
	return c.graph.Marshal(opset)
}

// converter follows the nodes in the order of the file, which is the order in which they run.
type converter struct {
	graph   *onnx.Graph
	weights map[string]weight
	values  map[string]string // TensorFlow's names → ours, which are short and stable
	count   int
	done    bool
}

func (c *converter) node(n node) error {
	switch n.Op {
	case "Const":
		if _, ok := c.weights[n.Name]; !ok {
			return errors.New("constant without a weight")
		}
		return nil
	case "Placeholder":
		return c.placeholder(n)
	case "Mul", "Sub":
		return c.scalar(n)
	case "AddV2":
		return c.plain(n, "Add", 2)
	case "_FusedConv2D":
		return c.conv(n, false)
	case "FusedDepthwiseConv2dNative":
		return c.conv(n, true)
	case "AvgPool":
		return c.pool(n)
	case "Squeeze":
		return c.flatten(n)
	case "_FusedMatMul":
		return c.dense(n)
	case "Softmax":
		return c.plain(n, "Softmax", 1, onnx.Int("axis", -1))
	case "Identity":
		return c.output(n)
	}
	return fmt.Errorf("operator %s is not known", n.Op)
}

func (c *converter) placeholder(n node) error {
	if c.count > 0 {
		return errors.New("a second input")
	}
	c.graph.Input("input", onnx.Float32, []onnx.Dim{{Name: "N"}, {Size: 224}, {Size: 224}, {Size: 3}})
	c.graph.Node("Transpose", []string{"input"}, []string{c.name(n)}, onnx.Ints("perm", 0, 3, 1, 2))
	return nil
}

// scalar is a product or difference of a picture and one number, in the order in which the model has them.
func (c *converter) scalar(n node) error {
	if len(n.Inputs) != 2 {
		return fmt.Errorf("%d inputs", len(n.Inputs))
	}
	out := c.name(n)
	ins := make([]string, 2)
	for i, in := range n.Inputs {
		w, constant := c.weights[in]
		if !constant {
			value, err := c.value(in)
			if err != nil {
				return err
			}
			ins[i] = value
			continue
		}
		if len(w.values) != 1 {
			return fmt.Errorf("constant of shape %v, want one number", w.shape)
		}
		ins[i] = out + "_c"
		c.graph.Float32(ins[i], nil, w.values)
	}
	c.graph.Node(n.Op, ins, []string{out})
	return nil
}

func (c *converter) plain(n node, op string, inputs int, attrs ...onnx.Attr) error {
	if len(n.Inputs) != inputs {
		return fmt.Errorf("%d inputs, want %d", len(n.Inputs), inputs)
	}
	ins := make([]string, inputs)
	for i, in := range n.Inputs {
		value, err := c.value(in)
		if err != nil {
			return err
		}
		ins[i] = value
	}
	c.graph.Node(op, ins, []string{c.name(n)}, attrs...)
	return nil
}

func (c *converter) conv(n node, depthwise bool) error {
	in, kernel, bias, relu, err := c.fused(n)
	if err != nil {
		return err
	}
	strides, padding, err := c.window(n, "strides")
	if err != nil {
		return err
	}
	if d, err := n.ints("dilations"); err != nil || !slices.Equal(d, []int64{1, 1, 1, 1}) {
		return fmt.Errorf("dilations %v", d)
	}
	if len(kernel.shape) != 4 {
		return fmt.Errorf("kernel of shape %v", kernel.shape)
	}
	h, w, groups := kernel.shape[0], kernel.shape[1], int64(1)
	var shape []int64
	var values []float32
	if depthwise { // [h,w,c,m] → [c*m,1,h,w], one group a channel
		groups = kernel.shape[2]
		shape = []int64{groups * kernel.shape[3], 1, h, w}
		values = swap(kernel.values, int(h*w), int(groups*kernel.shape[3]))
	} else {
		shape, values = channelsFirst(kernel)
	}
	out := c.name(n)
	c.graph.Float32(out+"_w", shape, values)
	c.graph.Float32(out+"_b", bias.shape, bias.values)
	sum := out
	if relu {
		sum = out + "_x"
	}
	c.graph.Node("Conv", []string{in, out + "_w", out + "_b"}, []string{sum},
		onnx.String("auto_pad", padding), onnx.Ints("kernel_shape", h, w), onnx.Ints("strides", strides...), onnx.Int("group", groups))
	if relu {
		c.graph.Float32(out+"_0", nil, []float32{0})
		c.graph.Float32(out+"_6", nil, []float32{6})
		c.graph.Node("Clip", []string{sum, out + "_0", out + "_6"}, []string{out})
	}
	return nil
}

// channelsFirst turns a kernel [h,w,i,o] into [o,i,h,w].
func channelsFirst(kernel weight) (shape []int64, values []float32) {
	places, in, out := int(kernel.shape[0]*kernel.shape[1]), int(kernel.shape[2]), int(kernel.shape[3])
	values = swap(kernel.values, places*in, out)
	for o := range out {
		block := values[o*places*in : (o+1)*places*in]
		copy(block, swap(block, places, in))
	}
	return []int64{kernel.shape[3], kernel.shape[2], kernel.shape[0], kernel.shape[1]}, values
}

func (c *converter) pool(n node) error {
	if len(n.Inputs) != 1 {
		return fmt.Errorf("%d inputs", len(n.Inputs))
	}
	in, err := c.value(n.Inputs[0])
	if err != nil {
		return err
	}
	size, padding, err := c.window(n, "ksize")
	if err != nil {
		return err
	}
	strides, _, err := c.window(n, "strides")
	if err != nil {
		return err
	}
	c.graph.Node("AveragePool", []string{in}, []string{c.name(n)},
		onnx.String("auto_pad", padding), onnx.Ints("kernel_shape", size...), onnx.Ints("strides", strides...))
	return nil
}

// flatten drops height and width, which TensorFlow counts as 1 and 2 and we as 2 and 3.
func (c *converter) flatten(n node) error {
	dims, err := n.ints("squeeze_dims")
	if err != nil || !slices.Equal(dims, []int64{1, 2}) || len(n.Inputs) != 1 {
		return fmt.Errorf("squeeze of %v", dims)
	}
	in, err := c.value(n.Inputs[0])
	if err != nil {
		return err
	}
	out := c.name(n)
	c.graph.Int64(out+"_d", []int64{2}, []int64{2, 3})
	c.graph.Node("Squeeze", []string{in, out + "_d"}, []string{out})
	return nil
}

func (c *converter) dense(n node) error {
	in, matrix, bias, relu, err := c.fused(n)
	if err != nil {
		return err
	}
	if relu || n.Attrs["transpose_a"].B || n.Attrs["transpose_b"].B || len(matrix.shape) != 2 {
		return errors.New("this form of matrix product is not known")
	}
	out := c.name(n)
	c.graph.Float32(out+"_w", matrix.shape, matrix.values)
	c.graph.Float32(out+"_b", bias.shape, bias.values)
	c.graph.Node("Gemm", []string{in, out + "_w", out + "_b"}, []string{out})
	return nil
}

func (c *converter) output(n node) error {
	if len(n.Inputs) != 1 || c.done {
		return errors.New("wanted one output")
	}
	in, err := c.value(n.Inputs[0])
	if err != nil {
		return err
	}
	c.graph.Node("Identity", []string{in}, []string{"probabilities"})
	c.graph.Output("probabilities", onnx.Float32, []onnx.Dim{{Name: "N"}, {Size: 5}})
	c.done = true
	return nil
}

// fused reads the inputs of an operator that has a bias and perhaps a Relu6 built in.
func (c *converter) fused(n node) (in string, kernel, bias weight, relu bool, err error) {
	if len(n.Inputs) != 3 {
		return "", weight{}, weight{}, false, fmt.Errorf("%d inputs, want 3", len(n.Inputs))
	}
	ops, err := n.texts("fused_ops")
	if err != nil {
		return "", weight{}, weight{}, false, err
	}
	switch {
	case slices.Equal(ops, []string{"BiasAdd", "Relu6"}):
		relu = true
	case !slices.Equal(ops, []string{"BiasAdd"}):
		return "", weight{}, weight{}, false, fmt.Errorf("fused operators %v are not known", ops)
	}
	in, err = c.value(n.Inputs[0])
	if err != nil {
		return "", weight{}, weight{}, false, err
	}
	kernel, okKernel := c.weights[n.Inputs[1]]
	bias, okBias := c.weights[n.Inputs[2]]
	if !okKernel || !okBias {
		return "", weight{}, weight{}, false, errors.New("weights are missing")
	}
	return in, kernel, bias, relu, nil
}

// window reads a [1,h,w,1] attribute and the padding.
func (c *converter) window(n node, attr string) (hw []int64, padding string, err error) {
	v, err := n.ints(attr)
	if err != nil {
		return nil, "", err
	}
	if len(v) != 4 || v[0] != 1 || v[3] != 1 {
		return nil, "", fmt.Errorf("%s %v", attr, v)
	}
	if layout, err := n.text("data_format"); err != nil || layout != "NHWC" {
		return nil, "", fmt.Errorf("layout %q", layout)
	}
	padding, err = n.text("padding")
	if err != nil {
		return nil, "", err
	}
	switch padding {
	case "SAME":
		return v[1:3], "SAME_UPPER", nil
	case "VALID":
		return v[1:3], "VALID", nil
	}
	return nil, "", fmt.Errorf("padding %q", padding)
}

func (c *converter) name(n node) string {
	c.count++
	name := fmt.Sprintf("t%d", c.count)
	c.values[n.Name] = name
	return name
}

func (c *converter) value(name string) (string, error) {
	v, ok := c.values[name]
	if !ok {
		return "", fmt.Errorf("input %s is not made yet", name)
	}
	return v, nil
}

// swap transposes a matrix of rows × cols.
func swap(values []float32, rows, cols int) []float32 {
	out := make([]float32, len(values))
	for r := range rows {
		for col := range cols {
			out[col*rows+r] = values[r*cols+col]
		}
	}
	return out
}
