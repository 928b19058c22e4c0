package api

import (
	"strconv"
	"strings"
	"time"
)

// maxWait is the longest that a request waits for a verdict.
const maxWait = 10 * time.Second

// preferWait reads how long a client would wait from its Prefer headers (RFC
// 7240): the first wait that is there counts, a longer one is cut to ten
// seconds, and one that is malformed is ignored, as a preference may be.
func preferWait(headers []string) time.Duration {
	for _, h := range headers {
		for part := range strings.SplitSeq(h, ",") {
			part, _, _ = strings.Cut(part, ";")
			name, value, ok := strings.Cut(part, "=")
			if !ok || !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			value = strings.Trim(strings.TrimSpace(value), `"`)
			if !numeric(value) {
				return 0
			}
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return maxWait // a number, only too large
			}
			return min(time.Duration(n)*time.Second, maxWait)
		}
	}
	return 0
}
