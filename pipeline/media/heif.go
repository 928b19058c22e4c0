package media

import (
	"fmt"
	"image"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// heif is libheif's C interface (1.12 and later), loaded at run time like turbo.
// It decodes HEIC and AVIF with whatever decoders it was built with. Only the
// decoding child calls it. Functions that give a heif_error give it in registers;
// its lower half, code and subcode, is zero when all is well.
type heif struct {
	alloc       func() uintptr
	free        func(ctx uintptr)
	maxSize     func(ctx uintptr, side int32)
	threads     func(ctx uintptr, n int32) // nil before 1.13
	read        func(ctx uintptr, data *byte, size uint64, options uintptr) uint64
	pictures    func(ctx uintptr) int32
	primary     func(ctx uintptr, handle *uintptr) uint64
	width       func(handle uintptr) int32
	height      func(handle uintptr) int32
	freeHandle  func(handle uintptr)
	decodeImage func(handle uintptr, img *uintptr, space, chroma int32, options uintptr) uint64
	imageWidth  func(img uintptr, channel int32) int32
	imageHeight func(img uintptr, channel int32) int32
	plane       func(img uintptr, channel int32, stride *int32) unsafe.Pointer
	freeImage   func(img uintptr)
}

// Numbers from heif.h.
const (
	heifRGB             = 1
	heifInterleavedRGBA = 11
	heifInterleaved     = 10
)

var heifNames = map[string][]string{
	"linux":  {"libheif.so.1"},
	"darwin": {"libheif.1.dylib", "/opt/homebrew/lib/libheif.1.dylib", "/usr/local/lib/libheif.1.dylib"},
}

// loadHEIF gives nil when the library is not there.
var loadHEIF = sync.OnceValue(func() *heif {
	for _, name := range heifNames[runtime.GOOS] {
		lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			continue
		}
		if h, err := bindHEIF(lib); err == nil {
			return h
		}
	}
	return nil
})

func bindHEIF(lib uintptr) (*heif, error) {
	h := &heif{}
	for name, f := range map[string]any{
		"heif_context_alloc": &h.alloc, "heif_context_free": &h.free, "heif_context_set_maximum_image_size_limit": &h.maxSize,
		"heif_context_read_from_memory_without_copy": &h.read, "heif_context_get_number_of_top_level_images": &h.pictures,
		"heif_context_get_primary_image_handle": &h.primary, "heif_image_handle_get_width": &h.width, "heif_image_handle_get_height": &h.height,
		"heif_image_handle_release": &h.freeHandle, "heif_decode_image": &h.decodeImage, "heif_image_get_width": &h.imageWidth,
		"heif_image_get_height": &h.imageHeight, "heif_image_get_plane_readonly": &h.plane, "heif_image_release": &h.freeImage,
	} {
		sym, err := purego.Dlsym(lib, name)
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", name, err)
		}
		purego.RegisterFunc(f, sym)
	}
	if sym, err := purego.Dlsym(lib, "heif_context_set_max_decoding_threads"); err == nil {
		purego.RegisterFunc(&h.threads, sym)
	}
	return h, nil
}

// decode gives the primary picture, turned as the file says and reduced, and its
// size before that. more says that the file holds other pictures, which viewers do not show at first.
func (l *heif) decode(data []byte, h Header, side int, reduction func(w, h int) int) (img *image.NRGBA, size image.Point, more bool, err error) {
	pinned := runtime.Pinner{}
	pinned.Pin(&data[0])
	defer pinned.Unpin()
	ctx := l.alloc()
	if ctx == 0 {
		return nil, size, false, fmt.Errorf("start libheif: %w", ErrBroken)
	}
	defer l.free(ctx)
	l.maxSize(ctx, int32(side))
	if l.threads != nil {
		l.threads(ctx, 0) // in this thread alone
	}
	if l.read(ctx, &data[0], uint64(len(data)), 0) != 0 {
		return nil, size, false, broken("libheif refuses the file")
	}
	var handle, decoded uintptr
	if l.primary(ctx, &handle) != 0 {
		return nil, size, false, broken("libheif finds no picture")
	}
	defer l.freeHandle(handle)
	if w, ht := int(l.width(handle)), int(l.height(handle)); w < 1 || ht < 1 || w*ht > h.Width*h.Height {
		return nil, size, false, broken("picture larger than its header says")
	}
	if code := l.decodeImage(handle, &decoded, heifRGB, heifInterleavedRGBA, 0); code != 0 {
		if uint32(code) == heifNoDecoder || uint32(code) == heifUnsupported {
			return nil, size, false, fmt.Errorf("variant of %s: %w", h.Type, ErrUnsupported)
		}
		return nil, size, false, broken("libheif stopped")
	}
	defer l.freeImage(decoded)
	w, ht := int(l.imageWidth(decoded, heifInterleaved)), int(l.imageHeight(decoded, heifInterleaved))
	var stride int32
	pix := l.plane(decoded, heifInterleaved, &stride)
	if pix == nil || w < 1 || ht < 1 || w*ht > h.Width*h.Height || int(stride) < 4*w {
		return nil, size, false, broken("libheif gives no pixels")
	}
	lent := &image.NRGBA{Pix: unsafe.Slice((*byte)(pix), int(stride)*ht), Stride: int(stride), Rect: image.Rect(0, 0, w, ht)}
	img, err = shrink(lent, reduction(w, ht))
	if img == lent { // the pixels are only lent
		img = image.NewNRGBA(lent.Rect)
		copy(img.Pix, lent.Pix)
	}
	return img, lent.Rect.Max, l.pictures(ctx) > 1, err
}

// Codes of heif_error: unsupported file type, unsupported feature.
const (
	heifNoDecoder   = 3
	heifUnsupported = 4
)
