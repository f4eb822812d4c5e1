package influx_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/influx3test"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/influx"
	"github.com/llm-devops/llm-sentinel/internal/store/storetest"
)

const token = "apiv3_test"

// config of a backend under test, without where its data is.
func config(t *testing.T, endpoint string) influx.Config {
	t.Helper()
	return influx.Config{
		Endpoint: endpoint, Client: newHTTPClient(t), API: influx.APIAuto, Telemetry: "telemetry", Anomaly: "anomaly",
		V1: influx.V1{Database: "llm"}, V2: influx.V2{Bucket: "llm", AnomalyBucket: "llm"}, V3: influx.V3{Database: "llm", AnomalyDatabase: "llm"},
		MaxResponseBytes: influx.DefaultMaxResponseBytes, MaxAggregateEvents: influx.DefaultMaxAggregateEvents,
	}
}

func open(t *testing.T, c influx.Config) *influx.Backend {
	t.Helper()
	b, err := influx.New(c)
	require.NoError(t, err)
	return b
}

// threeX is a contract server of 3.x with a reader and a writer.
func threeX(t *testing.T) (*influx.Backend, *writer, *influx3test.Server) {
	t.Helper()
	s := influx3test.New(t, influx3test.Options{Token: token})
	c := config(t, s.URL)
	c.V3.Token = token
	w := &writer{schema: newSchema(), client: newHTTPClient(t), token: token, url: s.URL + "/api/v3/write_lp" + params("db", "llm", "precision", "nanosecond")}
	return open(t, c), w, s
}

// realServer is the address of an InfluxDB 1.8, or skips the test loudly.
func realServer(t *testing.T) string {
	t.Helper()
	base := os.Getenv("SENTINEL_INFLUXDB_URL")
	if base == "" {
		t.Skip("SKIPPED: SENTINEL_INFLUXDB_URL is not set: start a server with scripts/services/services.sh up influxdb")
	}
	return base
}

// oneX is a database of its own on a real InfluxDB 1.8 with a reader, by the
// given API, and a writer.
func oneX(t *testing.T, api influx.API) (*influx.Backend, *writer) {
	t.Helper()
	base := realServer(t)
	database := fmt.Sprintf("read_%d", time.Now().UnixNano())
	client := newHTTPClient(t)
	run := func(q string) {
		resp, err := client.PostForm(base+"/query", url.Values{"q": {q}})
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NotContains(t, string(body), "error")
	}
	run(`CREATE DATABASE "` + database + `"`)
	t.Cleanup(func() { run(`DROP DATABASE "` + database + `"`) })
	c := config(t, base)
	c.API = api
	c.V1.Database = database
	c.V2.Bucket, c.V2.AnomalyBucket = database+"/autogen", database+"/autogen"
	w := &writer{schema: newSchema(), client: client, url: base + "/write" + params("db", database, "precision", "ns")}
	return open(t, c), w
}

// keeps is what InfluxDB keeps, as the documentation of the exporter says: texts
// to their limits and in valid UTF-8, counts to the largest integer, no number
// that is none, no embeddings.
func keeps() storetest.Kept {
	prompt := func(s string) string {
		return strings.ToValidUTF8(line.Cut(s, line.MaxTextBytes), "\uFFFD")
	}
	return storetest.Kept{
		Event: func(e genai.Event) genai.Event {
			for _, s := range []*string{&e.Service, &e.ResponseModel, &e.Region, &e.User, &e.ErrorMessage} {
				*s = line.CleanText(*s)
			}
			e.PromptEmbedding, e.ResponseEmbedding = nil, nil
			e.PromptText, e.ResponseText = prompt(e.PromptText), prompt(e.ResponseText)
			for k := range e.Metadata {
				if len(k) > 10_000 {
					e.Metadata = nil
				}
			}
			return e
		},
		Anomaly: func(a anomaly.Anomaly) anomaly.Anomaly {
			a.Service, a.Model, a.Type, a.RootCause = line.CleanText(a.Service), line.CleanText(a.Model), anomaly.Type(line.CleanText(string(a.Type))), line.CleanText(a.RootCause)
			a.Context.SampleCount = min(a.Context.SampleCount, math.MaxInt64)
			for k := range a.Context.Additional {
				if len(k) > 10_000 {
					a.Context.Additional = nil
				}
			}
			return a
		},
	}
}

func TestConformanceOf3xContractServer(t *testing.T) {
	storetest.RunReader(t, keeps(), func(t *testing.T) (store.Backend, store.Writer) {
		t.Helper()
		b, w, _ := threeX(t)
		return b, w
	})
}

func TestConformanceOfReal1x(t *testing.T) {
	realServer(t)
	storetest.RunReader(t, keeps(), func(t *testing.T) (store.Backend, store.Writer) {
		t.Helper()
		b, w := oneX(t, influx.APIAuto)
		return b, w
	})
}

// A bucket of 2.x is a database, or one with a policy; the rest is as in 1.x.
func TestBucketsOfReal1x(t *testing.T) {
	b, w := oneX(t, influx.APIV2)
	events := calls(100, time.Now().UTC())
	require.NoError(t, w.WriteEvents(t.Context(), events))
	got, err := all(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1000, Ascending: true}}))
	require.NoError(t, err)
	require.Len(t, got, len(events))
	for i := range got {
		require.Equal(t, events[i].ID, got[i].ID)
	}
	n, err := b.CountEvents(t.Context(), store.EventQuery{EventFilter: store.EventFilter{Failed: true}})
	require.NoError(t, err)
	require.Positive(t, n)
	require.NoError(t, b.Ping(t.Context()))
}
