package media

import (
	"fmt"
	"image"
	"runtime"
	"sync"

	"github.com/ebitengine/purego"
)

// turbo is libjpeg-turbo's TurboJPEG 2.x interface, loaded at run time so that
// the package needs no cgo and runs without it. Only the decoding child calls it.
type turbo struct {
	initDecompress func() uintptr
	header         func(h uintptr, buf *byte, size uint64, w, ht, sub, space *int32) int32
	decompress     func(h uintptr, buf *byte, size uint64, dst *byte, w, pitch, ht, format, flags int32) int32
	destroy        func(h uintptr) int32
}

// Numbers from turbojpeg.h 2.1.
const (
	tjRGBA          = 7
	tjStopOnWarning = 8192
	tjLimitScans    = 32768
)

var turboNames = map[string][]string{
	"linux":  {"libturbojpeg.so.0"},
	"darwin": {"libturbojpeg.0.dylib", "/opt/homebrew/lib/libturbojpeg.0.dylib", "/usr/local/lib/libturbojpeg.0.dylib"},
}

// loadTurbo gives nil when the library is not there.
var loadTurbo = sync.OnceValue(func() *turbo {
	for _, name := range turboNames[runtime.GOOS] {
		lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			continue
		}
		if t, err := bindTurbo(lib); err == nil {
			return t
		}
	}
	return nil
})

func bindTurbo(lib uintptr) (*turbo, error) {
	t := &turbo{}
	for name, f := range map[string]any{
		"tjInitDecompress": &t.initDecompress, "tjDecompressHeader3": &t.header,
		"tjDecompress2": &t.decompress, "tjDestroy": &t.destroy,
	} {
		sym, err := purego.Dlsym(lib, name)
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", name, err)
		}
		purego.RegisterFunc(f, sym)
	}
	return t, nil
}

// decode gives the picture reduced by n/8, the smallest n whose short side is
// still at least shortest pixels. The reduction happens in the cosine transform,
// so most of the work of a large photo is never done. A warning of the library is
// an error here; the caller then asks the stricter standard decoder.
func (t *turbo) decode(data []byte, h Header, shortest int) (*image.NRGBA, error) {
	if h.components != 1 && h.components != 3 {
		return nil, fmt.Errorf("%d components: %w", h.components, ErrUnsupported)
	}
	handle := t.initDecompress()
	if handle == 0 {
		return nil, fmt.Errorf("start libjpeg-turbo: %w", ErrBroken)
	}
	defer t.destroy(handle)
	var w, ht, sub, space int32
	if t.header(handle, &data[0], uint64(len(data)), &w, &ht, &sub, &space) != 0 || int(w) != h.Width || int(ht) != h.Height {
		return nil, broken("libjpeg-turbo refuses the header")
	}
	n := 8
	for _, try := range []int{1, 2, 3, 4, 5, 6, 7} {
		if min(scaled(h.Width, try), scaled(h.Height, try)) >= shortest {
			n = try
			break
		}
	}
	img := image.NewNRGBA(image.Rect(0, 0, scaled(h.Width, n), scaled(h.Height, n)))
	rc := t.decompress(handle, &data[0], uint64(len(data)), &img.Pix[0],
		int32(img.Rect.Dx()), int32(img.Stride), int32(img.Rect.Dy()), tjRGBA, tjStopOnWarning|tjLimitScans)
	runtime.KeepAlive(data)
	if rc != 0 {
		return nil, broken("libjpeg-turbo stopped")
	}
	return img, nil
}

// scaled is TJSCALED of turbojpeg.h for a factor of n/8.
func scaled(side, n int) int { return (side*n + 7) / 8 }
