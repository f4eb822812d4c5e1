package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds the pause that a receiver can ask for, so that a wrong
// header does not silence a target for hours.
const maxRetryAfter = 5 * time.Minute

// retryAfter reads a Retry-After header, which holds seconds or a date. The
// result is in [0, maxRetryAfter]; zero when there is none or it is malformed.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if secs, err := strconv.ParseInt(header, 10, 64); err == nil {
		return time.Duration(min(max(secs, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
