package llmtraffic

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// TruthLine is one incident in a truth file (JSON lines).
type TruthLine struct {
	Incident
	// ResponseModel is the model name in answers; collectors may key by it.
	ResponseModel string `json:"response_model"`
	// Calls is the number of calls that the incident changed; FirstEvent and
	// LastEvent are the event times of the first and the last of them, absent
	// when there were none (silence, a stopped run).
	Calls      int        `json:"calls"`
	FirstEvent *time.Time `json:"first_event,omitempty"`
	LastEvent  *time.Time `json:"last_event,omitempty"`
}

// Truth returns the labels of a run with what the run did.
func Truth(o *Options, stats *Stats) []TruthLine {
	out := make([]TruthLine, len(o.Incidents))
	for i := range o.Incidents {
		out[i] = TruthLine{Incident: o.Incidents[i]}
		for j := range o.Models {
			if o.Models[j].Name == o.Incidents[i].Model {
				out[i].ResponseModel = o.Models[j].Response
			}
		}
		if e := stats.Effect(i); e.Calls > 0 {
			out[i].Calls, out[i].FirstEvent, out[i].LastEvent = e.Calls, &e.First, &e.Last
		}
	}
	return out
}

// WriteLines writes a list as JSON lines.
func WriteLines[T any](w io.Writer, list []T) error {
	bw := bufio.NewWriter(w)
	enc := json.NewEncoder(bw)
	enc.SetEscapeHTML(false)
	for i := range list {
		if err := enc.Encode(list[i]); err != nil {
			return fmt.Errorf("write line %d: %w", i+1, err)
		}
	}
	return bw.Flush()
}

// ReadLines reads what WriteLines wrote.
func ReadLines[T any](r io.Reader, name string) ([]T, error) {
	var out []T
	dec := json.NewDecoder(r)
	for {
		var v T
		switch err := dec.Decode(&v); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("%s: line %d: %w", name, len(out)+1, err)
		}
		out = append(out, v)
	}
}
