package tfjs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"nightlight/models/onnx"
)

// ConvertLayers turns a TensorFlow.js layers model (Keras' form) into an ONNX model, under the same terms as Convert.
// What only matters in training, such as dropout, is left out.
func ConvertLayers(name string, modelJS []byte, shardsJS ...[]byte) ([]byte, error) {
	var t layersTopology
	if err := parseInto(&t, modelJS, `{modelTopology:`); err != nil {
		return nil, fmt.Errorf("convert %s: topology: %w", name, err)
	}
	if len(t.Manifest) != 1 {
		return nil, fmt.Errorf("convert %s: topology: %d weight groups, want 1", name, len(t.Manifest))
	}
	joined, err := join(shardsJS)
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", name, err)
	}
	weights, err := weightsOf(t.Manifest[0].Weights, joined)
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", name, err)
	}
	c := layersConverter{converter{graph: onnx.NewGraph(name), weights: weights, values: map[string]string{}}}
	layers := t.Topology.Model.Config.Layers
	for i, l := range layers {
		if err := c.layer(l, i == len(layers)-1); err != nil {
			return nil, fmt.Errorf("convert %s: layer %s: %w", name, l.Name, err)
		}
	}
	return c.graph.Marshal(opset)
}

// layersTopology is the part of a layers model's topology that the conversion needs.
type layersTopology struct {
	Topology struct {
		Model struct {
			Config struct {
				Layers []layer `json:"layers"`
			} `json:"config"`
		} `json:"model_config"`
	} `json:"modelTopology"`
	Manifest []weightGroup `json:"weightsManifest"`
}

type layer struct {
	Name    string             `json:"name"`
	Class   string             `json:"class_name"`
	Config  layerConfig        `json:"config"`
	Inbound [][][]inboundValue `json:"inbound_nodes"`
}

// inboundValue is a name, an index or settings; only names matter here.
type inboundValue struct{ name string }

func (v *inboundValue) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &v.name)
	}
	return nil
}

type layerConfig struct {
	Shape      []*int64 `json:"batch_input_shape"`
	Format     string   `json:"data_format"`
	Kernel     []int64  `json:"kernel_size"`
	Pool       []int64  `json:"pool_size"`
	Strides    []int64  `json:"strides"`
	Dilation   []int64  `json:"dilation_rate"`
	Padding    string   `json:"padding"`
	Activation string   `json:"activation"`
	Bias       bool     `json:"use_bias"`
	Axis       int      `json:"axis"`
	Epsilon    float32  `json:"epsilon"`
	Center     bool     `json:"center"`
	Scale      bool     `json:"scale"`
}

type layersConverter struct{ converter }

func (c *layersConverter) layer(l layer, last bool) error {
	if l.Class == "InputLayer" {
		return c.input(l)
	}
	var ins []string
	if len(l.Inbound) != 1 {
		return errors.New("not used exactly once")
	}
	for _, from := range l.Inbound[0] {
		if len(from) == 0 {
			return errors.New("input without a name")
		}
		in, err := c.value(from[0].name)
		if err != nil {
			return err
		}
		ins = append(ins, in)
	}
	if l.Class != "Concatenate" && len(ins) != 1 {
		return fmt.Errorf("%d inputs", len(ins))
	}
	if l.Config.Format != "" && l.Config.Format != "channels_last" {
		return fmt.Errorf("layout %q", l.Config.Format)
	}
	switch l.Class {
	case "Conv2D":
		return c.conv(l, ins[0])
	case "BatchNormalization":
		return c.norm(l, ins[0])
	case "Activation":
		return c.activate(l, ins[0], c.named(l), l.Config.Activation)
	case "MaxPooling2D":
		return c.pool(l, ins[0], "MaxPool")
	case "AveragePooling2D":
		return c.pool(l, ins[0], "AveragePool")
	case "Concatenate":
		if l.Config.Axis != 3 {
			return fmt.Errorf("axis %d", l.Config.Axis)
		}
		c.graph.Node("Concat", ins, []string{c.named(l)}, onnx.Int("axis", 1))
		return nil
	case "Flatten": // only right after a pooling to one place, where the order of the axes does not matter
		c.graph.Node("Flatten", ins, []string{c.named(l)}, onnx.Int("axis", 1))
		return nil
	case "Dropout":
		c.values[l.Name] = ins[0]
		return nil
	case "Dense":
		return c.dense(l, ins[0], last)
	}
	return fmt.Errorf("class %s is not known", l.Class)
}

func (c *layersConverter) named(l layer) string { return c.name(node{Name: l.Name}) }

func (c *layersConverter) input(l layer) error {
	s := l.Config.Shape
	if c.count > 0 || len(s) != 4 || s[1] == nil || s[2] == nil || s[3] == nil || *s[3] != 3 {
		return errors.New("a second input, or one that is no picture")
	}
	c.graph.Input("input", onnx.Float32, []onnx.Dim{{Name: "N"}, {Size: *s[1]}, {Size: *s[2]}, {Size: 3}})
	c.graph.Node("Transpose", []string{"input"}, []string{c.named(l)}, onnx.Ints("perm", 0, 3, 1, 2))
	return nil
}

func (c *layersConverter) weight(l layer, what string, dims int) (weight, error) {
	w, ok := c.weights[l.Name+"/"+what]
	if !ok || len(w.shape) != dims {
		return weight{}, fmt.Errorf("weight %s is missing or of shape %v", what, w.shape)
	}
	return w, nil
}

func (c *layersConverter) conv(l layer, in string) error {
	kernel, err := c.weight(l, "kernel", 4)
	if err != nil {
		return err
	}
	pad, err := padding(l.Config.Padding)
	if err != nil {
		return err
	}
	if l.Config.Bias || l.Config.Activation != "linear" || !slices.Equal(l.Config.Dilation, []int64{1, 1}) || !slices.Equal(l.Config.Kernel, kernel.shape[:2]) {
		return errors.New("this form of convolution is not known")
	}
	out := c.named(l)
	shape, values := channelsFirst(kernel)
	c.graph.Float32(out+"_w", shape, values)
	c.graph.Node("Conv", []string{in, out + "_w"}, []string{out},
		onnx.String("auto_pad", pad), onnx.Ints("kernel_shape", l.Config.Kernel...), onnx.Ints("strides", l.Config.Strides...))
	return nil
}

func (c *layersConverter) norm(l layer, in string) error {
	if l.Config.Axis != 3 || !l.Config.Center || l.Config.Scale {
		return errors.New("this form of normalisation is not known")
	}
	out := c.named(l)
	ins := []string{in, out + "_s"}
	for _, what := range []string{"beta", "moving_mean", "moving_variance"} {
		w, err := c.weight(l, what, 1)
		if err != nil {
			return err
		}
		if what == "beta" {
			c.graph.Float32(out+"_s", w.shape, slices.Repeat([]float32{1}, len(w.values)))
		}
		ins = append(ins, out+"_"+what)
		c.graph.Float32(out+"_"+what, w.shape, w.values)
	}
	c.graph.Node("BatchNormalization", ins, []string{out}, onnx.Float("epsilon", l.Config.Epsilon))
	return nil
}

func (c *layersConverter) activate(l layer, in, out, how string) error {
	switch how {
	case "relu":
		c.graph.Node("Relu", []string{in}, []string{out})
	case "softmax":
		c.graph.Node("Softmax", []string{in}, []string{out}, onnx.Int("axis", -1))
	default:
		return fmt.Errorf("activation %q is not known", how)
	}
	return nil
}

// pool leaves what lies outside of the picture out of an average, as TensorFlow and ONNX both do.
func (c *layersConverter) pool(l layer, in, op string) error {
	pad, err := padding(l.Config.Padding)
	if err != nil {
		return err
	}
	c.graph.Node(op, []string{in}, []string{c.named(l)},
		onnx.String("auto_pad", pad), onnx.Ints("kernel_shape", l.Config.Pool...), onnx.Ints("strides", l.Config.Strides...))
	return nil
}

func (c *layersConverter) dense(l layer, in string, last bool) error {
	matrix, err := c.weight(l, "kernel", 2)
	if err != nil {
		return err
	}
	bias, err := c.weight(l, "bias", 1)
	if err != nil {
		return err
	}
	out := c.named(l)
	c.graph.Float32(out+"_w", matrix.shape, matrix.values)
	c.graph.Float32(out+"_b", bias.shape, bias.values)
	c.graph.Node("Gemm", []string{in, out + "_w", out + "_b"}, []string{out + "_x"})
	if !last {
		return c.activate(l, out+"_x", out, l.Config.Activation)
	}
	if len(bias.values) != 5 {
		return fmt.Errorf("%d classes, want 5", len(bias.values))
	}
	if err := c.activate(l, out+"_x", "probabilities", l.Config.Activation); err != nil {
		return err
	}
	c.graph.Output("probabilities", onnx.Float32, []onnx.Dim{{Name: "N"}, {Size: 5}})
	return nil
}

func padding(name string) (string, error) {
	switch name {
	case "same":
		return "SAME_UPPER", nil
	case "valid":
		return "VALID", nil
	}
	return "", fmt.Errorf("padding %q", name)
}
