package rules

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

func BenchmarkClassifyText(b *testing.B) {
	for _, bb := range []struct{ name, text string }{
		{"short Han", "今天放学以后我们一起去操场踢足球吧,记得带水"},
		{"short ASCII", "hey are you coming to football practice after school today?"},
		{"a hit", "别告诉你妈妈 加我微信私聊 abc12345"},
		{"disguised", "bie gaosu ni mama, jia wo wei xin"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := New()
			b.ReportAllocs()
			start := cpu()
			for b.Loop() {
				classify(b, r, bb.text)
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}
