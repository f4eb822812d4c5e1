package llmtraffic

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// dataDir is the folder of the public traces; tests that need it skip loudly.
func dataDir(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("SENTINEL_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: no public traces at %s; set SENTINEL_DATA to run this test", dir)
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

func testOptions() Options {
	o := DefaultOptions(epoch.Add(2 * time.Hour))
	o.Start, o.Duration, o.Rate = epoch, 2*time.Hour, 4
	return o
}

func allCalls(t testing.TB, o Options, lanes int) []Call {
	t.Helper()
	var out []Call
	for i := range lanes {
		g, err := NewGenerator(o, i, lanes)
		if err != nil {
			t.Fatal(err)
		}
		var c Call
		for g.Next(&c) {
			out = append(out, c)
		}
	}
	return out
}

func (c *Call) key() SeriesKey { return SeriesKey{c.Service.Name, c.Model.Name} }
