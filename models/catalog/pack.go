package catalog

import "fmt"

// Pack writes a picture as the tensor that a model reads. rgb holds size × size pixels of three bytes, red first,
// rows from the top; dst must have room for as many values. Values come out of a table of 256 a channel.
func (in Input) Pack(dst []float32, rgb []byte) error {
	if want := in.Size * in.Size * 3; len(rgb) != want || len(dst) != want {
		return fmt.Errorf("pack picture: %d bytes into %d values, want %d", len(rgb), len(dst), want)
	}
	var first, third int
	switch in.Channels {
	case "RGB":
		first, third = 0, 2
	case "BGR":
		first, third = 2, 0
	default:
		return fmt.Errorf("pack picture: channel order %q is not known", in.Channels)
	}
	var table [3][256]float32
	for c := range table {
		for v := range table[c] {
			table[c][v] = (float32(v) - in.Mean[c]) * in.Scale
		}
	}
	for i := 0; i+2 < len(rgb); i += 3 {
		px, out := rgb[i:i+3:i+3], dst[i:i+3:i+3]
		out[0] = table[0][px[first]]
		out[1] = table[1][px[1]]
		out[2] = table[2][px[third]]
	}
	return nil
}
