package llmtraffic

import (
	"fmt"
	"io"
	"sort"
	"text/tabwriter"
	"time"
)

// Summary is what a run did.
type Summary struct {
	Counts
	Endpoint    string         `json:"endpoint"`
	Protocol    string         `json:"protocol"`
	EventStart  time.Time      `json:"event_start"`
	EventEnd    time.Time      `json:"event_end"`
	WallSeconds float64        `json:"wall_seconds"`
	SpansPerSec float64        `json:"spans_per_second"`
	BytesPerSec float64        `json:"bytes_per_second"`
	Interrupted bool           `json:"interrupted"`
	Error       string         `json:"error,omitempty"`
	Messages    map[string]int `json:"messages,omitempty"`
	Incidents   []TruthLine    `json:"incidents,omitempty"`
}

// NewSummary sums up stats over wall time took.
func NewSummary(stats *Stats, took time.Duration) Summary {
	s := Summary{Counts: stats.Counts(), WallSeconds: took.Seconds(), Messages: stats.Messages()}
	if took > 0 {
		s.SpansPerSec = float64(s.Accepted) / took.Seconds()
		s.BytesPerSec = float64(s.Bytes) / took.Seconds()
	}
	return s
}

// OK reports whether every span was accepted.
func (s *Summary) OK() bool {
	return s.Error == "" && s.Failed == 0 && s.Rejected == 0 && s.Unsent == 0
}

// WriteTable prints the summary for people.
func (s *Summary) WriteTable(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(k, format string, args ...any) {
		_, _ = fmt.Fprintf(tw, "%s\t%s\n", k, fmt.Sprintf(format, args...))
	}
	line("target", "%s (%s)", s.Endpoint, s.Protocol)
	line("event time", "%s .. %s", s.EventStart.Format(time.RFC3339), s.EventEnd.Format(time.RFC3339))
	line("calls", "%d", s.Calls)
	line("spans", "%d  accepted %d  rejected %d  failed %d  unsent %d", s.Spans, s.Accepted, s.Rejected, s.Failed, s.Unsent)
	line("requests", "%d  failed %d  retries %d", s.Requests, s.FailedRequests, s.Retries)
	line("bytes", "%d (%.1f MB/s)", s.Bytes, s.BytesPerSec/1e6)
	line("wall time", "%.2f s  %.0f spans/s accepted", s.WallSeconds, s.SpansPerSec)
	keys := make([]string, 0, len(s.Messages))
	for k := range s.Messages {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		line("message", "%d x %s", s.Messages[k], k)
	}
	if s.Interrupted {
		line("interrupted", "yes")
	}
	if s.Error != "" {
		line("error", "%s", s.Error)
	}
	if len(s.Incidents) > 0 {
		_, _ = fmt.Fprintf(tw, "\nincident\tservice\tmodel\tfactor\tstart\tend\tcalls\n")
		for i := range s.Incidents {
			t := &s.Incidents[i]
			_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%g\t%s\t%s\t%d\n", t.Kind, t.Service, t.Model, t.Factor, t.Start.Format(time.TimeOnly), t.End.Format(time.TimeOnly), t.Calls)
		}
	}
	return tw.Flush()
}
