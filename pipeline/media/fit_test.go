package media

import (
	"image"
	"image/color"
	"testing"
)

func TestALongShapeKeepsMoreOfItsLetters(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	tests := []struct {
		name string
		size image.Point
		want image.Point
	}{
		{"a common shape", image.Pt(900, 600), image.Pt(320, 213)},
		{"a long screenshot", image.Pt(200, 1000), image.Pt(160, 800)},
		{"a ribbon", image.Pt(4000, 40), image.Pt(960, 9)},
		{"small ones stay as they are", image.Pt(50, 200), image.Pt(50, 200)},
	}
	for _, tt := range tests {
		got, err := d.Decode(t.Context(), jpegBytes(t, flat(tt.size.X, tt.size.Y, color.White), 80), Want{Fit: 320})
		if err != nil {
			t.Fatal(err)
		}
		if p := got.Frames[0].Picture; p.Width != tt.want.X || p.Height != tt.want.Y {
			t.Errorf("%s: got %d × %d, want %v", tt.name, p.Width, p.Height, tt.want)
		}
	}
}

func TestOnlyAsManyFramesAsWantedGetAPicture(t *testing.T) {
	var frames []image.Image
	for i := range 9 {
		img := flat(64, 64, color.White)
		for y := range 64 {
			for x := 7 * i; x < 7*i+8 && x < 64; x++ {
				img.Set(x, y, color.Black)
			}
		}
		frames = append(frames, img)
	}
	got, err := newDecoder(t, DecoderOptions{Children: 1}).Decode(t.Context(), gifBytes(t, frames, 1), Want{Fit: 64, Pictures: 3})
	if err != nil {
		t.Fatal(err)
	}
	var with []int
	for i, f := range got.Frames {
		if f.Picture != nil {
			with = append(with, i)
		}
	}
	last := len(got.Frames) - 1
	if last < 5 || len(with) != 3 || with[0] != 0 || with[2] != last {
		t.Errorf("of %d frames, %v have a picture", len(got.Frames), with)
	}
}
