package onnx

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrExternalData says that a model keeps weights in other files. Such a model would make ONNX Runtime open paths
// that the model names, which no checksum covers.
var ErrExternalData = errors.New("model refers to data outside its own file")

// Summary is what Inspect finds in a model file.
type Summary struct {
	Opset   int64          // of the standard domain
	Inputs  []string       // that a caller must give: initializers with the same name are left out
	Outputs []string       // in the order of the file
	Ops     map[string]int // how many nodes there are of each operator, sub-graphs included

	Metadata map[string]string // what the maker of the model wrote into it
}

// maxDepth bounds how deep sub-graphs may nest; real models need two or three.
const maxDepth = 16

// Inspect reads the structure of a model file without running anything, and refuses one that is no ONNX model, is
// cut off, or refers to external data anywhere.
func Inspect(model []byte) (Summary, error) {
	in := inspector{sum: Summary{Ops: map[string]int{}, Metadata: map[string]string{}}, initialized: map[string]bool{}}
	if err := in.model(model); err != nil {
		return Summary{}, fmt.Errorf("inspect model: %w", err)
	}
	if !in.sawGraph {
		return Summary{}, errors.New("inspect model: no graph in it")
	}
	required := in.sum.Inputs[:0]
	for _, name := range in.sum.Inputs {
		if !in.initialized[name] {
			required = append(required, name)
		}
	}
	in.sum.Inputs = required
	return in.sum, nil
}

type inspector struct {
	sum         Summary
	initialized map[string]bool
	sawGraph    bool
}

func (in *inspector) model(b []byte) error {
	return fields(b, func(num protowire.Number, v []byte, n uint64) error {
		switch num {
		case 7:
			in.sawGraph = true
			return in.graph(v, 0)
		case 8:
			return in.opset(v)
		case 14:
			return in.property(v)
		case 20: // training graphs are of no use to us and would be one more place to hide things
			return errors.New("training information is not allowed")
		case 25:
			return fields(v, func(num protowire.Number, v []byte, _ uint64) error {
				if num == 7 {
					return in.node(v, 1)
				}
				return nil
			})
		}
		return nil
	})
}

func (in *inspector) opset(b []byte) error {
	var domain string
	var version uint64
	err := fields(b, func(num protowire.Number, v []byte, n uint64) error {
		switch num {
		case 1:
			domain = string(v)
		case 2:
			version = n
		}
		return nil
	})
	if domain == "" || domain == "ai.onnx" {
		in.sum.Opset = int64(version)
	}
	return err
}

func (in *inspector) property(b []byte) error {
	key, err := stringField(b, 1)
	if err != nil {
		return err
	}
	in.sum.Metadata[key], err = stringField(b, 2)
	return err
}

func (in *inspector) graph(b []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("graphs nest deeper than %d", maxDepth)
	}
	return fields(b, func(num protowire.Number, v []byte, _ uint64) error {
		switch num {
		case 1:
			return in.node(v, depth)
		case 5:
			return in.tensor(v, depth)
		case 15:
			return in.sparse(v, depth)
		case 11, 12:
			if depth > 0 {
				return nil
			}
			name, err := stringField(v, 1)
			if num == 11 {
				in.sum.Inputs = append(in.sum.Inputs, name)
			} else {
				in.sum.Outputs = append(in.sum.Outputs, name)
			}
			return err
		}
		return nil
	})
}

func (in *inspector) node(b []byte, depth int) error {
	return fields(b, func(num protowire.Number, v []byte, _ uint64) error {
		switch num {
		case 4:
			in.sum.Ops[string(v)]++
		case 5:
			return in.attribute(v, depth)
		}
		return nil
	})
}

func (in *inspector) attribute(b []byte, depth int) error {
	return fields(b, func(num protowire.Number, v []byte, _ uint64) error {
		switch num {
		case 5, 10:
			return in.tensor(v, depth+1)
		case 6, 11:
			return in.graph(v, depth+1)
		case 22, 23:
			return in.sparse(v, depth+1)
		}
		return nil
	})
}

func (in *inspector) sparse(b []byte, depth int) error {
	return fields(b, func(num protowire.Number, v []byte, _ uint64) error {
		if num == 1 || num == 2 {
			return in.tensor(v, depth)
		}
		return nil
	})
}

func (in *inspector) tensor(b []byte, depth int) error {
	return fields(b, func(num protowire.Number, v []byte, n uint64) error {
		switch {
		case num == 8 && depth == 0:
			in.initialized[string(v)] = true
		case num == 13, num == 14 && n != 0:
			return ErrExternalData
		}
		return nil
	})
}

func stringField(b []byte, want protowire.Number) (string, error) {
	var s string
	err := fields(b, func(num protowire.Number, v []byte, _ uint64) error {
		if num == want {
			s = string(v)
		}
		return nil
	})
	return s, err
}

// fields calls visit for each field: with v for a length-delimited one, with n for a number.
func fields(b []byte, visit func(num protowire.Number, v []byte, n uint64) error) error {
	for len(b) > 0 {
		num, typ, used := protowire.ConsumeTag(b)
		if used < 0 {
			return protowire.ParseError(used)
		}
		b = b[used:]
		var v []byte
		var n uint64
		switch typ {
		case protowire.BytesType:
			v, used = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			n, used = protowire.ConsumeVarint(b)
		default:
			used = protowire.ConsumeFieldValue(num, typ, b)
		}
		if used < 0 {
			return protowire.ParseError(used)
		}
		b = b[used:]
		if err := visit(num, v, n); err != nil {
			return err
		}
	}
	return nil
}
