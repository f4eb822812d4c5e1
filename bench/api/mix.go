package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// mix is what was measured of the mixed questions.
type mix struct {
	requests, failed, questions int
	elapsed                     time.Duration
	cpu                         float64 // processor seconds of the server
	p50, p99                    float64 // milliseconds from the time that a request was due
	hits, unchanged             float64
}

// questions of a dashboard and of people who look into something.
func questions(p *process, o options) []string {
	var all []string
	add := func(path string, kv ...string) {
		q := url.Values{}
		for i := 0; i < len(kv); i += 2 {
			q.Set(kv[i], kv[i+1])
		}
		if len(q) > 0 {
			path += "?" + q.Encode()
		}
		all = append(all, p.base+path)
	}
	for i := range services {
		add("/api/v1/telemetry", "service", serviceName(i), "hours", "2", "limit", "50")
		add("/api/v1/anomalies", "service", serviceName(i), "hours", "24", "limit", "50")
		add("/api/v1/stats", "service", serviceName(i), "start", p.end.Add(-width).Format(time.RFC3339), "end", p.end.Format(time.RFC3339), "step", "5m")
		add("/api/v1/traces/" + traceOf(i*997%o.events).String())
	}
	start, end := p.end.Add(-width).Format(time.RFC3339), p.end.Format(time.RFC3339)
	add("/api/v1/services", "start", start, "end", end)
	add("/api/v1/models", "start", start, "end", end)
	add("/api/v1/overview", "hours", "2")
	add("/api/v1/anomalies", "severity", "critical", "hours", "24")
	add("/api/v1/anomalies/" + finding(0, p.end).ID.String())
	return all
}

// asked is the outcome of one request.
type asked struct {
	ok, hit, unchanged bool
}

func ask(ctx context.Context, client *http.Client, target, etag string) (asked, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return asked{}, "", err
	}
	r.Header.Set("Accept-Encoding", "gzip") // the client does not unpack: it shares the machine with the server
	if etag != "" {
		r.Header.Set("If-None-Match", etag)
	}
	resp, err := client.Do(r)
	if err != nil {
		return asked{}, "", err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	a := asked{hit: strings.Contains(resp.Header.Get("Cache-Status"), "hit"), unchanged: resp.StatusCode == http.StatusNotModified}
	a.ok = err == nil && (resp.StatusCode == http.StatusOK || a.unchanged)
	if !a.ok {
		err = fmt.Errorf("%s: status %d", target, resp.StatusCode)
	}
	return a, resp.Header.Get("ETag"), err
}

// measureMix asks at a steady rate, whether or not answers are late.
func measureMix(ctx context.Context, p *process, o options) (mix, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	all := questions(p, o)
	etags := make([]string, len(all))
	for range 2 { // warm
		for i, target := range all {
			_, tag, err := ask(ctx, client, target, "")
			if err != nil {
				return mix{}, err
			}
			etags[i] = tag
		}
	}
	total := o.rate * o.seconds
	m := mix{requests: total, questions: len(all)}
	latencies := make([]time.Duration, total)
	var next, failed, hits, unchanged atomic.Int64
	before, err := p.ask("cpu")
	if err != nil {
		return m, err
	}
	began := time.Now()
	var clients sync.WaitGroup
	for range 48 {
		clients.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= total || ctx.Err() != nil {
					return
				}
				due := began.Add(time.Duration(n) * time.Second / time.Duration(o.rate))
				time.Sleep(time.Until(due))
				i := n * 7 % len(all)
				tag := ""
				if n%5 == 0 { // a page that polls
					tag = etags[i]
				}
				a, _, err := ask(ctx, client, all[i], tag)
				latencies[n] = time.Since(due)
				if err != nil {
					failed.Add(1)
				}
				if a.hit {
					hits.Add(1)
				}
				if a.unchanged {
					unchanged.Add(1)
				}
			}
		})
	}
	clients.Wait()
	m.elapsed = time.Since(began)
	after, err := p.ask("cpu")
	if err != nil {
		return m, err
	}
	m.cpu, m.failed = after-before, int(failed.Load())
	m.hits, m.unchanged = float64(hits.Load())/float64(total), float64(unchanged.Load())/float64(total)
	slices.Sort(latencies)
	m.p50, m.p99 = milliseconds(latencies[total/2]), milliseconds(latencies[total*99/100])
	return m, ctx.Err()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
