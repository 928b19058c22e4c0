package tfjs

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// topology is the part of a model.json that the conversion needs.
type topology struct {
	Format   string `json:"format"`
	Topology struct {
		Nodes []node `json:"node"`
	} `json:"modelTopology"`
	Manifest []weightGroup `json:"weightsManifest"`
}

type weightGroup struct {
	Paths   []string     `json:"paths"`
	Weights []weightSpec `json:"weights"`
}

type node struct {
	Name   string               `json:"name"`
	Op     string               `json:"op"`
	Inputs []string             `json:"input"`
	Attrs  map[string]attribute `json:"attr"`
}

type attribute struct {
	S    string `json:"s"` // base64
	B    bool   `json:"b"`
	List struct {
		I []string `json:"i"`
		S []string `json:"s"` // base64
	} `json:"list"`
}

type weightSpec struct {
	Name         string  `json:"name"`
	Shape        []int64 `json:"shape"`
	DType        string  `json:"dtype"`
	Quantization *struct {
		Min   float64 `json:"min"`
		Scale float64 `json:"scale"`
		DType string  `json:"dtype"`
	} `json:"quantization"`
}

type weight struct {
	shape  []int64
	values []float32
}

// parseTopology reads the JavaScript file that exports a graph model's topology.
func parseTopology(js []byte) (*topology, error) {
	var t topology
	if err := parseInto(&t, js, `{format:"graph-model"`); err != nil {
		return nil, err
	}
	if len(t.Manifest) != 1 {
		return nil, fmt.Errorf("%d weight groups, want 1", len(t.Manifest))
	}
	return &t, nil
}

// parseInto reads the exported literal that begins with start.
func parseInto(t any, js []byte, start string) error {
	at, err := exported(js, start)
	if err != nil {
		return err
	}
	v, err := literal(at)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, t)
}

// join reads the shards in order.
func join(shardsJS [][]byte) ([]byte, error) {
	var joined []byte
	for i, js := range shardsJS {
		shard, err := parseShard(js)
		if err != nil {
			return nil, fmt.Errorf("shard %d: %w", i+1, err)
		}
		joined = append(joined, shard...)
	}
	return joined, nil
}

// parseShard reads the JavaScript file that exports one shard of weights as base64 text.
func parseShard(js []byte) ([]byte, error) {
	at, err := exported(js, `"`)
	if err != nil {
		return nil, err
	}
	v, err := literal(at)
	if err != nil {
		return nil, err
	}
	text, ok := v.(string)
	if !ok {
		return nil, errors.New("shard is not text")
	}
	return base64.StdEncoding.DecodeString(text)
}

// weightsOf cuts the joined shards into tensors and undoes their 8-bit quantisation.
func weightsOf(specs []weightSpec, joined []byte) (map[string]weight, error) {
	out := make(map[string]weight, len(specs))
	for _, spec := range specs {
		q := spec.Quantization
		if spec.DType != "float32" || q == nil || q.DType != "uint8" {
			return nil, fmt.Errorf("weight %s is not float32 quantised to uint8", spec.Name)
		}
		n := int64(1)
		for _, d := range spec.Shape {
			if d < 1 || n > int64(len(joined)) {
				return nil, fmt.Errorf("weight %s has shape %v", spec.Name, spec.Shape)
			}
			n *= d
		}
		if n > int64(len(joined)) {
			return nil, fmt.Errorf("weight %s wants %d bytes, %d are left", spec.Name, n, len(joined))
		}
		values := make([]float32, n)
		for i, b := range joined[:n] {
			// The inner conversion forbids a fused multiply-add, so that every CPU gives the same bits.
			values[i] = float32(float64(float64(b)*q.Scale) + q.Min)
		}
		joined = joined[n:]
		out[spec.Name] = weight{spec.Shape, values}
	}
	if len(joined) != 0 {
		return nil, fmt.Errorf("%d bytes of weights are left over", len(joined))
	}
	return out, nil
}

func (n node) text(attr string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(n.Attrs[attr].S)
	if err != nil {
		return "", fmt.Errorf("attribute %s of %s: %w", attr, n.Name, err)
	}
	return string(b), nil
}

func (n node) texts(attr string) ([]string, error) {
	var out []string
	for _, s := range n.Attrs[attr].List.S {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, fmt.Errorf("attribute %s of %s: %w", attr, n.Name, err)
		}
		out = append(out, string(b))
	}
	return out, nil
}

func (n node) ints(attr string) ([]int64, error) {
	var out []int64
	for _, s := range n.Attrs[attr].List.I {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("attribute %s of %s: %w", attr, n.Name, err)
		}
		out = append(out, v)
	}
	return out, nil
}
