// Package retryafter reads the HTTP header of that name.
package retryafter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Parse returns the pause that a Retry-After header asks for: seconds, or a
// date (RFC 9110, section 10.2.3). The result is in [0, limit], so that a wrong
// header does not silence a sender for hours; zero when there is no header or
// it is malformed.
func Parse(header string, now time.Time, limit time.Duration) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if secs, err := strconv.ParseInt(header, 10, 64); err == nil {
		// Compared in seconds: a huge number would overflow as a duration.
		if secs >= int64(limit/time.Second) {
			return limit
		}
		return time.Duration(max(secs, 0)) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), limit)
}
