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
	Manifest []struct {
		Paths   []string     `json:"paths"`
		Weights []weightSpec `json:"weights"`
	} `json:"weightsManifest"`
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
	at, err := exported(js, `{format:"graph-model"`)
	if err != nil {
		return nil, err
	}
	v, err := literal(at)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var t topology
	if err := json.Unmarshal(plain, &t); err != nil {
		return nil, err
	}
	if len(t.Manifest) != 1 {
		return nil, fmt.Errorf("%d weight groups, want 1", len(t.Manifest))
	}
	return &t, nil
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

// weights cuts the joined shards into tensors and undoes their 8-bit quantisation.
func (t *topology) weights(joined []byte) (map[string]weight, error) {
	out := make(map[string]weight, len(t.Manifest[0].Weights))
	for _, spec := range t.Manifest[0].Weights {
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
