package transcribe

import (
	"encoding/binary"

	"nightlight/pipeline/speech"
)

// wav is a WAV file of one channel of 16-bit samples.
func wav(samples []float32) []byte {
	size := uint32(2 * len(samples)) // at most half a minute
	b := make([]byte, 0, 44+int(size))
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, 36+size)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	for _, v := range []uint16{1, 1} { // whole numbers, one channel
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, speech.Rate)
	b = binary.LittleEndian.AppendUint32(b, 2*speech.Rate)
	for _, v := range []uint16{2, 16} { // bytes and bits a sample
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, size)
	for _, v := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(max(-32768, min(32767, v*32768)))))
	}
	return b
}
