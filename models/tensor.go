package models

import (
	"errors"
	"fmt"
	"runtime"

	ort "github.com/yalue/onnxruntime_go"
)

// Tensor is an input or output of a model: a shape and its values in row-major order, of which exactly one kind is
// set. An empty shape with one value is a scalar.
type Tensor struct {
	Shape   []int64
	Float32 []float32
	Int64   []int64
}

// values holds what ONNX Runtime was lent for one run, so that all of it is freed whatever happens.
type values struct {
	pinner runtime.Pinner // the library keeps addresses of Go memory until destroy
	all    []ort.Value
}

func (h *values) wrapAll(tensors []Tensor, out bool) ([]ort.Value, error) {
	wrapped := make([]ort.Value, len(tensors))
	for i, t := range tensors {
		if out && t.Float32 == nil && t.Int64 == nil {
			continue // ONNX Runtime allocates it
		}
		v, err := h.wrap(t)
		if err != nil {
			return nil, fmt.Errorf("tensor %d: %w", i, err)
		}
		wrapped[i] = v
	}
	return wrapped, nil
}

func (h *values) wrap(t Tensor) (ort.Value, error) {
	switch {
	case t.Float32 != nil && t.Int64 != nil:
		return nil, errors.New("values of two kinds")
	case len(t.Float32) > 0:
		return hold(h, t.Shape, t.Float32)
	case len(t.Int64) > 0:
		return hold(h, t.Shape, t.Int64)
	}
	return nil, errors.New("no values")
}

func hold[T float32 | int64](h *values, shape []int64, data []T) (ort.Value, error) {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	if n != int64(len(data)) {
		return nil, fmt.Errorf("shape %v with %d values", shape, len(data))
	}
	if len(shape) == 0 {
		v, err := ort.NewScalar(data[0])
		if err != nil {
			return nil, err
		}
		h.all = append(h.all, v)
		return v, nil
	}
	h.pinner.Pin(&data[0])
	v, err := ort.NewTensor(shape, data)
	if err != nil {
		return nil, err
	}
	h.all = append(h.all, v)
	return v, nil
}

// adopt adds outputs that ONNX Runtime allocated to what is freed.
func (h *values) adopt(outs []ort.Value) {
	for _, v := range outs {
		if v != nil && !h.holds(v) {
			h.all = append(h.all, v)
		}
	}
}

func (h *values) holds(v ort.Value) bool {
	for _, have := range h.all {
		if have == v {
			return true
		}
	}
	return false
}

func (h *values) destroy() {
	for _, v := range h.all {
		v.Destroy() // it never fails for tensors
	}
	h.pinner.Unpin()
}

// take keeps shape and values of an output. Values that ONNX Runtime allocated were copied into Go memory by the
// binding, so they outlive it.
func (t *Tensor) take(v ort.Value) error {
	switch v := v.(type) {
	case *ort.Tensor[float32]:
		t.Shape, t.Float32 = v.GetShape(), v.GetData()
	case *ort.Tensor[int64]:
		t.Shape, t.Int64 = v.GetShape(), v.GetData()
	default:
		return fmt.Errorf("element type of %T is not known", v)
	}
	return nil
}
