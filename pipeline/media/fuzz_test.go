package media

import (
	"bytes"
	"crypto/cipher"
	"io"
	"testing"
)

func FuzzSniff(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b[:min(len(b), 64)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Sniff(b)
		if (err == nil) != (got != "" && got.Kind() != "") {
			t.Errorf("got %q, %v", got, err)
		}
		if again, err2 := Sniff(append(bytes.Clone(b), "more that follows"...)); err == nil && (err2 != nil || again != got) {
			t.Errorf("%q became %q when the file went on: %v", got, again, err2)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Inspect(b)
		if err == nil && (h.Frames < 1 || h.Orientation < 1 || h.Orientation > 8 || h.Width < 0 || h.Height < 0) {
			t.Errorf("got %+v", h)
		}
		if err == nil && (Limits{Pixels: 1 << 20}).Check(h) == nil {
			_, _ = steps(b, h.Type) // must not panic, whatever it says
		}
	})
}

// FuzzDecode runs the child's work in this process on small pictures.
func FuzzDecode(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &decoder{want: Want{Squares: []Square{{Size: 8}}, Thumbnail: 8, Preview: 8}, limits: Limits{Pixels: 1 << 16, AnimationPixels: 1 << 18, Frames: 8}, turbo: loadTurbo()}
		if got, err := d.decode(b); err == nil && got.agrees(d.want) != nil {
			t.Errorf("an answer that the worker would refuse: %v", got.agrees(d.want))
		}
	})
}

// FuzzAnswer feeds the worker what a child that was taken over might say.
func FuzzAnswer(f *testing.F) {
	want := Want{Squares: []Square{{Size: 4}}}
	d := &decoder{want: want, limits: Limits{}, turbo: loadTurbo()}
	got, err := d.decode(pngBytes(f, scenery(9, 9)))
	if err != nil {
		f.Fatal(err)
	}
	var whole, fault bytes.Buffer
	if err := respond(&whole, got, nil); err != nil {
		f.Fatal(err)
	}
	if err := respond(&fault, nil, ErrBroken); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(fault.Bytes())
	f.Add(whole.Bytes()[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		var re response
		raw, err := readMessage(bytes.NewReader(b), &re, 1<<20)
		if err != nil {
			return
		}
		d, err := parse(re, raw)
		if (err == nil) != (d != nil) {
			t.Errorf("got %v, %v", d, err)
		}
		if err == nil && d.agrees(want) == nil {
			for _, fr := range d.Frames {
				for _, c := range fr.Crops {
					if len(c.Tensor) != 48 {
						t.Errorf("a tensor of %d values reached the model", len(c.Tensor))
					}
				}
			}
		}
	})
}

func FuzzRequest(f *testing.F) {
	var b bytes.Buffer
	if err := writeMessage(&b, request{Want: Want{MaxFrames: 1}}, []byte("file")); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		var ask request
		if raw, err := readMessage(bytes.NewReader(b), &ask, 1<<16); err == nil && len(raw) > len(b) {
			t.Errorf("%d bytes out of %d", len(raw), len(b))
		}
	})
}

// FuzzSealedReader may open only what was sealed.
func FuzzSealedReader(f *testing.F) {
	key := &ItemKey{item: "item-1"}
	plain := noise(sealSegment + 50)
	s := NewSealed(nil, key)
	salt := make([]byte, sealSalt)
	body, err := io.ReadAll(&sealReader{src: bytes.NewReader(plain), aead: s.cipher("k", salt)})
	if err != nil {
		f.Fatal(err)
	}
	whole := append(append([]byte(sealMagic), salt...), body...)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(whole[:sealHeader])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := io.ReadAll(&openReader{src: bytes.NewReader(b), cipher: func(salt []byte) cipher.AEAD { return s.cipher("k", salt) }})
		if err == nil && !bytes.Equal(b, whole) {
			t.Errorf("%d changed bytes opened to %d", len(b), len(got))
		}
		if !bytes.HasPrefix(plain, got) {
			t.Error("bytes came out that were never sealed")
		}
	})
}

func FuzzSealedValue(f *testing.F) {
	key := &ItemKey{item: "item-1"}
	f.Add(key.Seal("text", []byte("hello")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := key.Open("other", b); err == nil {
			t.Errorf("opened to %d bytes", len(got))
		}
	})
}
