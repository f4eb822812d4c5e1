package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// walk is what was measured of a client that reads page by page.
type walk struct {
	began                    time.Time
	seen, duplicates, missed int
	pages                    int
	arrived                  int // events that were written meanwhile
	arrivedInRange           int // of those, seen by the walk
	elapsed                  time.Duration
}

// measurePaging reads the stored hour while events arrive, some of them late
// ones within that hour. Each event that was there before must be seen exactly
// once; those that arrive at most once.
func measurePaging(ctx context.Context, p *process, o options) (walk, error) {
	if err := p.tell("arrive " + strconv.Itoa(o.arrive)); err != nil {
		return walk{}, err
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	q := url.Values{
		"start": {p.end.Add(-width).Format(time.RFC3339Nano)}, "end": {p.end.Add(time.Second).Format(time.RFC3339Nano)},
		"limit": {strconv.Itoa(o.limit)},
	}
	times := map[int]uint8{} // of those that arrived
	stored := make([]uint8, o.events)
	var w walk
	w.began = time.Now()
	for {
		body, err := getPage(ctx, client, p.base+"/api/v1/telemetry?"+q.Encode())
		if err != nil {
			return w, err
		}
		w.pages++
		for n := range spans(body) {
			switch {
			case n < 0:
				return w, fmt.Errorf("page %d has a row that cannot be read", w.pages)
			case n < o.events:
				stored[n]++
			default:
				times[n]++
			}
		}
		next, err := nextCursor(body)
		if err != nil {
			return w, err
		}
		if next == "" {
			break
		}
		q.Set("cursor", next)
	}
	w.elapsed = time.Since(w.began)
	arrived, err := p.ask("stop")
	if err != nil {
		return w, err
	}
	w.arrived, w.arrivedInRange = int(arrived), len(times)
	for _, n := range stored {
		if n == 0 {
			w.missed++
			continue
		}
		w.seen++
		w.duplicates += int(n) - 1
	}
	for _, n := range times {
		w.duplicates += int(n) - 1
	}
	return w, nil
}

func getPage(ctx context.Context, client *http.Client, target string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, body[:min(len(body), 300)])
	}
	return body, err
}

// spans yields the numbers of the events of a page without decoding it all: a
// client that decodes would be what is measured. A row that cannot be read is -1.
func spans(body []byte) func(func(int) bool) {
	mark := []byte(`"span_id":"`)
	return func(yield func(int) bool) {
		for {
			i := bytes.Index(body, mark)
			if i < 0 {
				return
			}
			body = body[i+len(mark):]
			n := int64(-1)
			if len(body) > 16 && body[16] == '"' {
				if id, err := strconv.ParseInt(string(body[:16]), 16, 64); err == nil {
					n = id - 1
				}
			}
			if !yield(int(n)) {
				return
			}
		}
	}
}

func nextCursor(body []byte) (string, error) {
	i := bytes.LastIndex(body, []byte(`],"metadata":`))
	if i < 0 {
		return "", fmt.Errorf("a page without metadata: %s", body[:min(len(body), 300)])
	}
	var page struct {
		Metadata struct {
			NextCursor string `json:"next_cursor"`
		} `json:"metadata"`
	}
	err := json.Unmarshal(append([]byte("{"), body[i+2:]...), &page)
	return page.Metadata.NextCursor, err
}
