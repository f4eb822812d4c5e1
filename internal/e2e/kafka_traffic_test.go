//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// kafkaTraffic makes numbered calls. The same seed and base give the same bytes.
type kafkaTraffic struct {
	seed uint64
	base time.Time
	step time.Duration
}

func newKafkaTraffic(n int) kafkaTraffic {
	const span = 50 * time.Minute
	return kafkaTraffic{seed: 7, base: time.Now().Truncate(time.Minute).Add(-span), step: span / time.Duration(n)}
}

// call is the i-th call: numbers that look like traffic.
type kafkaCall struct {
	service, model string
	end            time.Time
	latency        time.Duration
	input, output  int
	cost           float64
}

func (k kafkaTraffic) call(i int) kafkaCall {
	r := rand.New(rand.NewPCG(k.seed, uint64(i)))
	c := kafkaCall{
		service: [...]string{"chat-api", "completion-api", "assistant-api"}[r.IntN(3)],
		model:   [...]string{"gpt-4", "gpt-3.5-turbo", "claude-3-opus", "claude-3-sonnet"}[r.IntN(4)],
		end:     k.base.Add(time.Duration(i) * k.step).UTC(),
		latency: time.Duration(500+r.IntN(2500)) * time.Millisecond,
		input:   50 + r.IntN(450), output: 100 + r.IntN(700),
	}
	c.cost = float64(c.input)*1e-6 + float64(c.output)*2e-6
	return c
}

func (k kafkaTraffic) ids(kind byte, i int) (trace pcommon.TraceID, span pcommon.SpanID) {
	trace[0], span[0] = kind, kind
	copy(trace[8:], fmt.Sprintf("%08d", i))
	copy(span[1:], fmt.Sprintf("%07d", i))
	return trace, span
}

// otlp is one request with the calls from and up to, but not with, to; it adds
// their event ids to want.
func (k kafkaTraffic) otlp(kind byte, from, to int, want map[string]bool) ptrace.Traces {
	td := ptrace.NewTraces()
	services := map[string]ptrace.SpanSlice{}
	for i := from; i < to; i++ {
		c := k.call(i)
		list, ok := services[c.service]
		if !ok {
			rs := td.ResourceSpans().AppendEmpty()
			rs.Resource().Attributes().PutStr(genai.AttrServiceName, c.service)
			list = rs.ScopeSpans().AppendEmpty().Spans()
			services[c.service] = list
		}
		s := list.AppendEmpty()
		trace, span := k.ids(kind, i)
		s.SetTraceID(trace)
		s.SetSpanID(span)
		s.SetName("chat " + c.model)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(c.end.Add(-c.latency)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(c.end))
		a := s.Attributes()
		a.PutStr(genai.AttrOperationName, genai.OperationChat)
		a.PutStr(genai.AttrRequestModel, c.model)
		a.PutInt(genai.AttrUsageInputTokens, int64(c.input))
		a.PutInt(genai.AttrUsageOutputTokens, int64(c.output))
		a.PutDouble(genai.AttrUsageCost, c.cost)
		want[genai.NewEventID(trace, span).String()] = true
	}
	return td
}

// json is the i-th call as a JSON event: three of four in the domain schema,
// known by their event id, and one in the flat schema, known by its request id.
func (k kafkaTraffic) json(i int, want map[string]bool) string {
	c := k.call(i)
	if i%4 == 3 {
		request := fmt.Sprintf("req-%d", i)
		want[request] = true
		return fmt.Sprintf(`{"timestamp":%q,"service_name":%q,"model_name":%q,"latency_ms":%d,"prompt_tokens":%d,"completion_tokens":%d,`+
			`"total_tokens":%d,"cost_usd":%g,"user_id":"u%d","session_id":"s%d","request_id":%q,"metadata":{"region":"eu","simulated":true}}`,
			c.end.Format(time.RFC3339Nano), c.service, c.model, c.latency.Milliseconds(), c.input, c.output, c.input+c.output, c.cost, i%100, i%1000, request)
	}
	id := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)).String()
	want[id] = true
	return fmt.Sprintf(`{"event_id":%q,"timestamp":%q,"service_name":%q,"trace_id":null,"span_id":null,"model":%q,`+
		`"prompt":{"text":"question %d","tokens":%d,"embedding":null},"response":{"text":"answer","tokens":%d,"finish_reason":"stop","embedding":null},`+
		`"latency_ms":%d,"cost_usd":%g,"metadata":{"user_id":"u%d","region":"eu"},"errors":[]}`,
		id, c.end.Format(time.RFC3339Nano), c.service, c.model, i, c.input, c.output, c.latency.Milliseconds(), c.cost, i%100)
}

const (
	callsPerMessage = 50
	// singles is one block in how many that has one event a message; the other
	// blocks are by turns an array and lines.
	singles = 10
)

// produce sends the JSON events and the OTLP calls from and up to, but not with,
// to. Half of the OTLP calls are protobuf, half are OTLP/JSON.
func (k kafkaTraffic) produce(t *testing.T, client *kgo.Client, topics kafkaTopics, from, to int, want map[string]bool) {
	t.Helper()
	var records []*kgo.Record
	add := func(topic string, value []byte) {
		records = append(records, &kgo.Record{Topic: topic, Key: fmt.Append(nil, len(records)), Value: value})
	}
	for i := from; i < to; i += callsPerMessage {
		end, block := min(i+callsPerMessage, to), i/callsPerMessage
		if block%2 == 0 {
			b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(k.otlp(1, i, end, want))
			require.NoError(t, err)
			add(topics.proto, b)
		} else {
			b, err := (&ptrace.JSONMarshaler{}).MarshalTraces(k.otlp(1, i, end, want))
			require.NoError(t, err)
			add(topics.json, b)
		}
		events := make([]string, 0, callsPerMessage)
		for j := i; j < end; j++ {
			events = append(events, k.json(j, want))
		}
		switch {
		case block%singles == 0:
			for _, e := range events {
				add(topics.events, []byte(e))
			}
		case block%2 == 0:
			add(topics.events, []byte("["+strings.Join(events, ",\n ")+"]"))
		default:
			add(topics.events, []byte(strings.Join(events, "\n")+"\n"))
		}
		if len(records) > 1000 || end == to {
			require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
			records = records[:0]
		}
	}
}

// storedEvent is what tells an event of the API.
type storedEvent struct {
	EventID  string            `json:"event_id"`
	Metadata map[string]string `json:"metadata"`
}

// key is what kafkaTraffic knows the event by.
func (e *storedEvent) key() string {
	if r := e.Metadata["request_id"]; r != "" {
		return r
	}
	return e.EventID
}

// eachStored walks over what an API has, without keeping it.
func eachStored(t *testing.T, query string, use func(*storedEvent)) {
	t.Helper()
	cursor := ""
	for {
		var p page[json.RawMessage]
		url := fmt.Sprintf("http://%s/api/v1/telemetry?limit=10000&ascending=true&%s", query, wide)
		if cursor != "" {
			url += "&cursor=" + cursor
		}
		require.Equal(t, 200, get(t, url, &p), url)
		for _, raw := range p.Data {
			var e storedEvent
			require.NoError(t, json.Unmarshal(raw, &e))
			use(&e)
		}
		if cursor = p.Metadata.NextCursor; cursor == "" {
			return
		}
	}
}
