//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

func mustEnv(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	require.NotEmpty(t, v, "%s names a real server; run `make e2e`", name)
	return v
}

// One run of traffic with incidents through examples/full-stack.yaml on the
// real servers. Half of the services send through Kafka, half by OTLP. What was
// sent, what InfluxDB holds, what the API answers and what went out as alerts
// must agree.
func TestFullStackAgreesWithItself(t *testing.T) {
	brokers, influx, rabbit := mustEnv(t, "SENTINEL_KAFKA_BROKERS"), mustEnv(t, "SENTINEL_INFLUXDB_URL"), mustEnv(t, "SENTINEL_RABBITMQ_URL")
	receiver, hookURL := hook(t)
	queue := bindQueue(t, rabbit)
	influxQuery(t, influx, "", "DROP DATABASE telemetry")

	at := freeAddresses(t)
	env := at.env()
	env["SENTINEL_HEALTH_ENDPOINT"] = freePort(t)
	env["KAFKA_BROKERS"], env["INFLUXDB_URL"] = brokers, influx
	env["WEBHOOK_URL"], env["WEBHOOK_SECRET"] = hookURL, secret
	user, password, plain := splitCredentials(t, rabbit)
	env["RABBITMQ_URL"], env["RABBITMQ_USERNAME"], env["RABBITMQ_PASSWORD"] = plain, user, password
	// A group and a topic of this run: the broker keeps those of earlier runs.
	run := fmt.Sprintf("e2e-%d", time.Now().UnixNano())
	own := fmt.Sprintf("yaml:receivers::kafka: {group_id: %s, traces: {topics: [%s], encoding: otlp_proto}}", run, run)
	producer, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic(run))
	require.NoError(t, err)
	defer producer.Close()

	o := traffic(t, 90*time.Minute, 6, llmtraffic.KindLatencySpike, llmtraffic.KindLatencyShift, llmtraffic.KindTokenSurge, llmtraffic.KindCostSurge)
	viaKafka := map[string]bool{}
	for i, s := range o.Services {
		viaKafka[s.Name] = i%2 == 0
	}
	// The topic exists before the collector subscribes to it.
	require.NoError(t, producer.ProduceSync(t.Context(), &kgo.Record{Value: encode(t, ptrace.NewTraces())}).FirstErr())

	runBinary(t, env, configPath(t, "examples/full-stack.yaml"), own)
	waitReady(t, at.query)
	sender := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)

	var calls []sent
	each(t, o, 100, func(td ptrace.Traces, batch []sent) {
		kafka, direct := split(td, viaKafka)
		for _, part := range kafka {
			name, _ := part.ResourceSpans().At(0).Resource().Attributes().Get("service.name")
			rec := &kgo.Record{Key: []byte(name.AsString()), Value: encode(t, part)}
			require.NoError(t, producer.ProduceSync(t.Context(), rec).FirstErr())
		}
		if direct.SpanCount() > 0 {
			deliver(t, sender, direct)
		}
		calls = append(calls, batch...)
	})

	require.Eventually(t, func() bool { return count(t, at.query, "/api/v1/telemetry") == int64(len(calls)) }, 2*startTimeout, 200*time.Millisecond,
		"all %d calls in the API", len(calls))
	assertExactly(t, calls, allEvents(t, at.query))

	// The anomalies of a batch are stored after its events.
	// Those about costs, of which there is one for each model, are marked before.
	var found []anomaly.Anomaly
	require.Eventually(t, func() bool {
		found = allAnomalies(t, at.query)
		marked := 0
		for i := range found {
			if found[i].Type != "cost_mismatch" && found[i].Type != "unpriced_model" {
				marked++
			}
		}
		return marked == int(metric(t, at.metrics, "sentinel_anomalies_detected_total"))
	}, 2*startTimeout, 200*time.Millisecond, "every marked anomaly in the API")
	ids := map[string]anomaly.Anomaly{}
	for _, a := range found {
		ids[a.ID.String()] = a
	}
	assertIncidentsFound(t, &o, found)

	require.Eventually(t, func() bool {
		return influxCount(t, influx, "telemetry", "latency_ms") == len(calls) && influxCount(t, influx, "anomaly", "confidence") == len(found)
	}, 2*startTimeout, 200*time.Millisecond, "InfluxDB holds %d events and %d anomalies", len(calls), len(found))
	series := influxSeries(t, influx)
	// A call that failed has no answering model, so each model has two names.
	assert.LessOrEqual(t, series, len(o.Services)*2*len(o.Models)+len(found), "series are bounded by services × models, not by spans")

	// Alerts: both targets got the same, each is an anomaly, and what was not
	// sent was suppressed as a duplicate.
	settled := func() bool {
		list, _ := receiver.Notifications()
		suppressed := metric(t, at.metrics, "sentinel_alerts_deduplicated_total")
		return len(list) > 0 && 2*len(found) == int(metric(t, at.metrics, "sentinel_alerts_sent_total")+max(suppressed, 0))
	}
	require.Eventually(t, settled, 2*startTimeout, 200*time.Millisecond, "every anomaly was sent or suppressed at both targets")
	list, dropped := receiver.Notifications()
	require.Zero(t, dropped)
	hooked := map[string]bool{}
	for _, n := range list {
		assert.NoError(t, n.SignatureError)
		require.Len(t, n.Anomalies, 1)
		hooked[n.Anomalies[0].ID.String()] = true
		assert.Contains(t, ids, n.Anomalies[0].ID.String())
	}
	queued := map[string]bool{}
	for range list {
		m := queue(t)
		var a anomaly.Anomaly
		require.NoError(t, json.Unmarshal(m.Body, &a))
		queued[a.ID.String()] = true
		assert.Equal(t, "alert."+a.Severity.String(), m.RoutingKey)
		assert.Contains(t, ids, a.ID.String())
	}
	assert.Equal(t, hooked, queued, "webhook and RabbitMQ got the same alerts")
	assert.Len(t, hooked, len(list), "no alert twice")
	t.Logf("calls %d (API, InfluxDB), anomalies %d (API, InfluxDB), alerts %d (webhook, RabbitMQ), series in InfluxDB %d",
		len(calls), len(found), len(list), series)
}

func encode(t *testing.T, td ptrace.Traces) []byte {
	t.Helper()
	b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return b
}

// split parts a batch by service: one message a service for Kafka, so that the
// key keeps a service in one partition, and the rest.
func split(td ptrace.Traces, viaKafka map[string]bool) (kafka []ptrace.Traces, direct ptrace.Traces) {
	direct = ptrace.NewTraces()
	for _, rs := range td.ResourceSpans().All() {
		name, _ := rs.Resource().Attributes().Get("service.name")
		if viaKafka[name.AsString()] {
			part := ptrace.NewTraces()
			rs.CopyTo(part.ResourceSpans().AppendEmpty())
			kafka = append(kafka, part)
			continue
		}
		rs.CopyTo(direct.ResourceSpans().AppendEmpty())
	}
	return kafka, direct
}

// splitCredentials takes user and password out of an AMQP URL.
func splitCredentials(t *testing.T, raw string) (user, password, plain string) {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	user, password = "guest", "guest"
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	u.User = nil
	return user, password, u.String()
}

// bindQueue declares a queue that receives every alert and returns a function
// that waits for the next message.
func bindQueue(t *testing.T, rabbit string) func(*testing.T) amqp.Delivery {
	t.Helper()
	conn, err := amqp.Dial(rabbit)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.ExchangeDeclare("sentinel.alerts", "topic", true, false, false, false, nil))
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(q.Name, "alert.*", "sentinel.alerts", false, nil))
	messages, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	return func(t *testing.T) amqp.Delivery {
		t.Helper()
		select {
		case m := <-messages:
			return m
		case <-time.After(startTimeout):
			require.Fail(t, "no further message in the queue")
			return amqp.Delivery{}
		}
	}
}

// influxResult is the answer of InfluxDB's /query.
type influxResult struct {
	Results []struct {
		Series []struct {
			Values [][]any `json:"values"`
		} `json:"series"`
		Error string `json:"error"`
	} `json:"results"`
}

func influxQuery(t *testing.T, server, db, q string) influxResult {
	t.Helper()
	u := server + "/query?" + url.Values{"db": {db}, "q": {q}}.Encode()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var r influxResult
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&r))
	return r
}

func influxCount(t *testing.T, server, measurement, field string) int {
	t.Helper()
	r := influxQuery(t, server, "telemetry", fmt.Sprintf(`SELECT COUNT(%q) FROM %q`, field, measurement))
	if len(r.Results) == 0 || len(r.Results[0].Series) == 0 {
		return 0
	}
	n, _ := r.Results[0].Series[0].Values[0][1].(float64)
	return int(n)
}

func influxSeries(t *testing.T, server string) int {
	t.Helper()
	n := 0
	for _, r := range influxQuery(t, server, "telemetry", "SHOW SERIES").Results {
		for _, s := range r.Series {
			n += len(s.Values)
		}
	}
	return n
}
