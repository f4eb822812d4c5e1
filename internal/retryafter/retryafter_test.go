package retryafter_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/internal/retryafter"
)

const limit = 5 * time.Minute

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"":                     0,
		"0":                    0,
		"7":                    7 * time.Second,
		"-5":                   0,
		"300":                  limit,
		"86400":                limit,
		"9223372036854775807":  limit,
		"-9223372036854775808": 0,
		"99999999999999999999": 0,
		"1.5":                  0,
		"soon":                 0,
		now.Add(30 * time.Second).Format(http.TimeFormat): 30 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(24 * time.Hour).Format(http.TimeFormat):   limit,
	} {
		assert.Equal(t, want, retryafter.Parse(in, now, limit), "%q", in)
		assert.Equal(t, want, retryafter.Parse("\t"+in+" ", now, limit), "%q with space around", in)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "7", "-1", "Fri, 02 Jan 2026 03:04:35 GMT", "9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryafter.Parse(s, now, limit); d < 0 || d > limit {
			t.Fatalf("%q gave %v", s, d)
		}
	})
}
