package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func pemOf(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }

// tailOf runs tail against the server until it has printed all of want.
func tailOf(t *testing.T, a *api, want []string, args ...string) (out, errs string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &untilWriter{want: want, found: cancel}
	var notes bytes.Buffer
	code := run(ctx, append([]string{"--url", a.URL, "tail"}, args...), func(string) string { return "" }, w, &notes)
	require.Equal(t, exitOK, code, notes.String())
	return w.String(), notes.String()
}

type untilWriter struct {
	bytes.Buffer
	want  []string
	found func()
}

func (w *untilWriter) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	for len(w.want) > 0 && strings.Contains(w.String(), w.want[0]) {
		w.want = w.want[1:]
	}
	if len(w.want) == 0 {
		w.found()
	}
	return n, err
}

func anomalyEvent(id, service string) string {
	return fmt.Sprintf("event: anomaly\nid: %s\ndata: %s\n\n", id, strings.Replace(oneAnomaly, "chat-api", service, 1))
}

func TestTailPrintsAnomaliesAndGoesOnWhereItWas(t *testing.T) {
	var calls atomic.Int32
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if calls.Add(1) == 1 {
			_, _ = io.WriteString(w, ": hello\n\n"+anomalyEvent("1-a", "first"))
			return // the stream breaks
		}
		_, _ = io.WriteString(w, "event: missed\ndata: {\"count\":3}\n\nevent: unknown\ndata: x\n\n"+anomalyEvent("2-b", "second"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	out, notes := tailOf(t, a, []string{"first", "second"}, "--severity", "high")
	require.Contains(t, out, "2026-01-02 03:04:06  high      latency_spike  first / gpt-4  latency_ms 9000.5, expected 800  0b7f5d0e-")
	require.Contains(t, notes, "the stream broke (the server ended it); connecting again")
	require.Contains(t, notes, "3 anomalies were too many at once")
	require.Equal(t, "GET /api/v1/stream?severity=high", a.asked()[0])
	require.Empty(t, a.requests[0].Header.Get("Last-Event-ID"))
	require.Equal(t, "1-a", a.requests[1].Header.Get("Last-Event-ID"))
}

func TestTailPrintsJSONLines(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, anomalyEvent("1", "chat-api"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	out, _ := tailOf(t, a, []string{"\n"}, "-o", "jsonl")
	require.Equal(t, []string{oneAnomaly, ""}, strings.Split(out, "\n"))
}

func TestTailDoesNotTryAgainWhatIsRefused(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"code":"invalid_severity","message":"severity must be one of …"}`)
	})
	r := a.ctl(t, "tail", "--severity", "x")
	require.Equal(t, exitError, r.code)
	require.Len(t, a.asked(), 1)
}

type closedPipe struct{}

var errPipe = errors.New("broken pipe")

func (closedPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestTailEndsWhenNobodyReadsIt(t *testing.T) {
	a := newAPI(t, answering(anomalyEvent("1", "x")))
	var notes bytes.Buffer
	code := run(t.Context(), []string{"--url", a.URL, "tail"}, func(string) string { return "" }, closedPipe{}, &notes)
	require.NotEqual(t, exitOK, code)
	require.Contains(t, notes.String(), "broken pipe")
}

func TestEventsOfAStream(t *testing.T) {
	for text, want := range map[string][]serverEvent{
		"data: a\n\n":                                {{data: "a"}},
		"data:a\r\ndata: b\r\n\r\n":                  {{data: "a\nb"}},
		"event: x\rid: 7\rdata\r\r":                  {{name: "x", id: "7"}},
		"id: 1\ndata: a\n\ndata: b\n\n":              {{id: "1", data: "a"}, {id: "1", data: "b"}},
		": comment\nretry: 10\n\n":                   nil,
		"event: only\n\ndata: a\n\n":                 {{data: "a"}},
		"data: not complete":                         nil,
		"id: a\x00b\ndata: a\n\n":                    {{data: "a"}},
		"data:  two spaces\nunknown: x\nnocolon\n\n": {{data: " two spaces"}},
	} {
		var got []serverEvent
		require.NoError(t, readEvents(iotestOneByte{strings.NewReader(text)}, func(e serverEvent) error { got = append(got, e); return nil }), text)
		require.Equal(t, want, got, "%q", text)
	}
}

// iotestOneByte gives one byte at a time.
type iotestOneByte struct{ r io.Reader }

func (o iotestOneByte) Read(b []byte) (int, error) { return o.r.Read(b[:min(1, len(b))]) }

func TestAnEndlessEventIsRefused(t *testing.T) {
	line := "data: " + strings.Repeat("x", 1<<20) + "\n"
	err := readEvents(strings.NewReader(strings.Repeat(line, 8)), func(serverEvent) error { return nil })
	require.ErrorContains(t, err, "larger than")
	require.Error(t, readEvents(strings.NewReader(strings.Repeat("x", maxEventBytes+2)), func(serverEvent) error { return nil }))
}

func FuzzReadEvents(f *testing.F) {
	f.Add("event: anomaly\nid: 1\ndata: {}\n\n")
	f.Add("data: a\r\n\r\ndata\r\r")
	f.Fuzz(func(t *testing.T, text string) {
		var whole, pieces []serverEvent
		errWhole := readEvents(strings.NewReader(text), func(e serverEvent) error { whole = append(whole, e); return nil })
		errPieces := readEvents(iotestOneByte{strings.NewReader(text)}, func(e serverEvent) error { pieces = append(pieces, e); return nil })
		require.Equal(t, errWhole, errPieces)
		require.Equal(t, whole, pieces, "how a stream is cut must not matter")
	})
}
