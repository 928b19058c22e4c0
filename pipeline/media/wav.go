package media

import "encoding/binary"

// WAV is the sound as a file that every browser plays: one channel of 16-bit
// samples, about 1.9 MB a minute. No byte of what was sent is in it but what is
// heard.
func (s *Sound) WAV() []byte {
	const header = 44
	size := 2 * len(s.Samples)
	le := binary.LittleEndian
	b := append(make([]byte, 0, header+size), "RIFF"...)
	b = le.AppendUint32(b, uint32(header-8+size))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)          // bytes of the format
	b = le.AppendUint16(b, 1)           // PCM
	b = le.AppendUint16(b, 1)           // channels
	b = le.AppendUint32(b, SoundRate)   // samples a second
	b = le.AppendUint32(b, 2*SoundRate) // bytes a second
	b = le.AppendUint16(b, 2)           // bytes a sample
	b = le.AppendUint16(b, 16)          // bits a sample
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(size))
	for _, v := range s.Samples {
		b = le.AppendUint16(b, uint16(int16(max(-1, min(1, v))*32767)))
	}
	return b
}
