package speech

import (
	"math"
	"math/cmplx"
	"sync"
)

// twiddles are the window's roots of one.
var twiddles = sync.OnceValue(func() []complex128 {
	w := make([]complex128, window)
	for i := range w {
		w[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/window)
	}
	return w
})

// fft gives the spectrum of one window. It halves while the length is even, 400 to 25, and sums what is left.
func fft(in []complex128) []complex128 {
	out := make([]complex128, len(in))
	fftInto(out, in, 1, len(in), twiddles())
	return out
}

func fftInto(out, in []complex128, stride, n int, w []complex128) {
	step := len(w) / n
	if n%2 == 1 {
		for k := range n {
			var sum complex128
			for j := range n {
				sum += in[j*stride] * w[j*k%n*step]
			}
			out[k] = sum
		}
		return
	}
	half := n / 2
	fftInto(out[:half], in, 2*stride, half, w)
	fftInto(out[half:n], in[stride:], 2*stride, half, w)
	for k := range half {
		a, b := out[k], w[k*step]*out[half+k]
		out[k], out[half+k] = a+b, a-b
	}
}
