package tfjs

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"nightlight/models/onnx"
)

func TestALiteralIsRead(t *testing.T) {
	for text, want := range map[string]any{
		`{a:1,"b c":[!0,!1,null],$d:{}}rest`: map[string]any{"a": 1.0, "b c": []any{true, false, nil}, "$d": map[string]any{}},
		`[-.5,.25,1e-3,6e2]`:                 []any{-.5, .25, 1e-3, 6e2},
		`"a\"b\\c\n\u4f60"`:                  "a\"b\\c\n你",
		`'single'`:                           "single",
		`[]`:                                 []any{},
	} {
		got, err := literal([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestALiteralWithAMistakeIsAnError(t *testing.T) {
	for _, text := range []string{``, `{`, `{a}`, `{a:}`, `{a:1`, `{a:1 b:2}`, `{a:1,a:2}`, `[1`, `[1 2]`, `"open`, `"\`, `"\u12"`, `"\q"`, `call()`,
		`1.2.3`, strings.Repeat("[", 100)} {
		if got, err := literal([]byte(text)); err == nil {
			t.Errorf("%.20s: got %v, want an error", text, got)
		}
	}
}

func FuzzLiteral(f *testing.F) {
	f.Add([]byte(`{a:[1,-.5,"x\u4f60",!0,null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		literal(b) // it must end without a panic whatever it reads
	})
}

// model is the topology of a tiny network: scale, one convolution, one depthwise convolution, pool, dense, softmax.
const model = `x.exports={format:"graph-model",modelTopology:{node:[
{name:"in",op:"Placeholder"},
{name:"two",op:"Const"},{name:"k",op:"Const"},{name:"b",op:"Const"},{name:"dk",op:"Const"},{name:"db",op:"Const"},{name:"w",op:"Const"},{name:"wb",op:"Const"},
{name:"m",op:"Mul",input:["two","in"]},
{name:"c",op:"_FusedConv2D",input:["m","k","b"],attr:{CONV,fused_ops:{list:{s:["BIAS","RELU"]}}}},
{name:"d",op:"FusedDepthwiseConv2dNative",input:["c","dk","db"],attr:{CONV,fused_ops:{list:{s:["BIAS"]}}}},
{name:"p",op:"AvgPool",input:["d"],attr:{ksize:{list:{i:["1","112","112","1"]}},strides:{list:{i:["1","1","1","1"]}},padding:{s:"VALID"},data_format:{s:"NHWC"}}},
{name:"s",op:"Squeeze",input:["p"],attr:{squeeze_dims:{list:{i:["1","2"]}}}},
{name:"f",op:"_FusedMatMul",input:["s","w","wb"],attr:{fused_ops:{list:{s:["BIAS"]}}}},
{name:"y",op:"Softmax",input:["f"]},
{name:"out",op:"Identity",input:["y"]}]},
weightsManifest:[{paths:["a"],weights:[
{name:"two",shape:[],dtype:"float32",quantization:{min:0,scale:1,dtype:"uint8"}},
{name:"k",shape:[1,1,3,2],dtype:"float32",quantization:{min:-1,scale:.5,dtype:"uint8"}},
{name:"b",shape:[2],dtype:"float32",quantization:{min:0,scale:1,dtype:"uint8"}},
{name:"dk",shape:[1,1,2,1],dtype:"float32",quantization:{min:0,scale:1,dtype:"uint8"}},
{name:"db",shape:[2],dtype:"float32",quantization:{min:0,scale:1,dtype:"uint8"}},
{name:"w",shape:[2,5],dtype:"float32",quantization:{min:0,scale:1,dtype:"uint8"}},
{name:"wb",shape:[5],dtype:"float32",quantization:{min:0,scale:1,dtype:"uint8"}}]}]}`

const weightBytes = 1 + 6 + 2 + 2 + 2 + 10 + 5

func topologyJS(change ...string) []byte {
	text := strings.NewReplacer("\n", "", "CONV", `strides:{list:{i:["1","2","2","1"]}},dilations:{list:{i:["1","1","1","1"]}},padding:{s:"SAME"},data_format:{s:"NHWC"}`).Replace(model)
	text = strings.NewReplacer(change...).Replace(text)
	for _, word := range []string{"SAME", "VALID", "NHWC"} {
		text = strings.ReplaceAll(text, `"`+word+`"`, `"`+base64.StdEncoding.EncodeToString([]byte(word))+`"`)
	}
	text = strings.ReplaceAll(text, `"BIAS"`, `"`+base64.StdEncoding.EncodeToString([]byte("BiasAdd"))+`"`)
	return []byte(strings.ReplaceAll(text, `"RELU"`, `"`+base64.StdEncoding.EncodeToString([]byte("Relu6"))+`"`))
}

func shardJS(n int) []byte {
	return fmt.Appendf(nil, `a.exports=f();b.exports="%s"},{}]`, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, n)))
}

func TestAGraphModelBecomesTheSameONNXModelEachTime(t *testing.T) {
	// The weights may be cut into shards anywhere.
	one, err := Convert("tiny", topologyJS(), shardJS(weightBytes))
	if err != nil {
		t.Fatal(err)
	}
	two, err := Convert("tiny", topologyJS(), shardJS(10), shardJS(weightBytes-10))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Error("the same weights in two shards gave another model")
	}
	got, err := onnx.Inspect(one)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got.Inputs, got.Outputs, got.Opset) != "[input] [probabilities] 13" || got.Ops["Conv"] != 2 || got.Ops["Clip"] != 1 || got.Ops["Gemm"] != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatIsNotUnderstoodIsRefusedAndNeverGuessed(t *testing.T) {
	for name, tc := range map[string]struct {
		change []string
		bytes  int
	}{
		"too few weights":              {nil, weightBytes - 1},
		"too many weights":             {nil, weightBytes + 1},
		"an operator nobody knows":     {[]string{`op:"Softmax"`, `op:"Softplus"`}, weightBytes},
		"another layout":               {[]string{`"NHWC"`, `"NCHW"`}, weightBytes},
		"another padding":              {[]string{`"SAME"`, `"EXPLICIT"`}, weightBytes},
		"a dilation":                   {[]string{`dilations:{list:{i:["1","1","1","1"]}}`, `dilations:{list:{i:["1","2","2","1"]}}`}, weightBytes},
		"another activation":           {[]string{`"RELU"`, `"RWx1"`}, weightBytes},
		"weights that are not 8-bit":   {[]string{`dtype:"uint8"`, `dtype:"uint16"`}, weightBytes},
		"an input that nothing makes":  {[]string{`input:["c",`, `input:["zz",`}, weightBytes},
		"a constant without a weight":  {[]string{`{name:"two",op:"Const"}`, `{name:"three",op:"Const"}`}, weightBytes},
		"no output":                    {[]string{`op:"Identity"`, `op:"Softmax"`}, weightBytes},
		"a second input":               {[]string{`{name:"m",op:"Mul",input:["two","in"]}`, `{name:"m",op:"Placeholder"}`}, weightBytes},
		"a squeeze of another axis":    {[]string{`squeeze_dims:{list:{i:["1","2"]}}`, `squeeze_dims:{list:{i:["2"]}}`}, weightBytes},
		"a model of layers":            {[]string{`graph-model`, `layers-model`}, weightBytes},
		"a shape with a negative side": {[]string{`shape:[2,5]`, `shape:[-2,5]`}, weightBytes},
	} {
		if _, err := Convert("tiny", topologyJS(tc.change...), shardJS(tc.bytes)); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := Convert("tiny", topologyJS(), []byte(`x.exports="!!!"`)); err == nil {
		t.Error("a shard that is no base64 gave no error")
	}
}
