package normal

import (
	"syscall"
	"testing"
	"time"
)

// cpu returns the processor time that this process has used, so that a busy
// machine does not change what a benchmark says.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func measure(b *testing.B, text string) {
	Views("warm")
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	start := cpu()
	for b.Loop() {
		Views(text)
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
}

func BenchmarkViewsOfShortMessages(b *testing.B) {
	for _, bb := range []struct{ name, text string }{
		{"plain ASCII", "hey are you coming to football practice after school today?"},
		{"plain Han", "今天放学以后我们一起去操场踢足球吧,记得带水"},
		{"leet", "k1ll y0urself loser"},
		{"pinyin", "bie gaosu mama, jia wo wei xin"},
	} {
		b.Run(bb.name, func(b *testing.B) { measure(b, bb.text) })
	}
}

func BenchmarkViewsOfHostileTexts(b *testing.B) {
	for name, text := range hostile(100_000) {
		b.Run(name, func(b *testing.B) { measure(b, text) })
	}
}
