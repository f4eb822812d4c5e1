//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var kafkaEvents = flag.Int("kafka-events", 10_000, "events of each kind, OTLP and JSON, that go through Kafka")

const drainTimeout = 10 * time.Minute

// kafkaTopics are the topics and the group of one test.
type kafkaTopics struct{ events, proto, json, deadLetter, group string }

func (k kafkaTopics) all() []string { return []string{k.events, k.proto, k.json} }

func (k kafkaTopics) groups() []string {
	return []string{k.group, k.group + "-otlp-proto", k.group + "-otlp-json"}
}

// kafkaRun is a real broker with topics of this test's own.
type kafkaRun struct {
	kafkaTopics
	brokers string
	client  *kgo.Client
	admin   *kadm.Client
}

func newKafkaRun(t *testing.T, partitions int32) *kafkaRun {
	t.Helper()
	brokers := mustEnv(t, "SENTINEL_KAFKA_BROKERS")
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.AllowAutoTopicCreation())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	run := fmt.Sprintf("e2e-kafka-%d", time.Now().UnixNano())
	k := &kafkaRun{
		kafkaTopics: kafkaTopics{run + "-events", run + "-proto", run + "-json", run + "-dead", run},
		brokers:     brokers, client: client, admin: kadm.NewClient(client),
	}
	_, err = k.admin.CreateTopics(t.Context(), partitions, 1, nil, k.all()...)
	require.NoError(t, err)
	return k
}

// start runs a collector with examples/kafka.yaml.
func (k *kafkaRun) start(t *testing.T, at addresses, more ...string) *process {
	t.Helper()
	env := at.env()
	maps.Copy(env, map[string]string{
		"SENTINEL_HEALTH_ENDPOINT": freePort(t), "KAFKA_BROKERS": k.brokers, "KAFKA_GROUP": k.group,
		"KAFKA_EVENTS_TOPIC": k.events, "KAFKA_OTLP_TOPIC": k.proto, "KAFKA_OTLP_JSON_TOPIC": k.json, "KAFKA_DEAD_LETTER_TOPIC": k.deadLetter,
	})
	uris := []string{configPath(t, "examples/kafka.yaml")}
	for _, r := range []string{"events", "otlp_proto", "otlp_json"} {
		// The shortest that a broker allows: a killed member is missed sooner.
		uris = append(uris, "yaml:receivers::kafka/"+r+": {session_timeout: 6s, heartbeat_interval: 1s}")
	}
	p := runBinary(t, env, append(uris, more...)...)
	waitReady(t, at.query)
	return p
}

// shared tells whether each group has so many members, all with partitions.
func (k *kafkaRun) shared(t *testing.T, members int) bool {
	t.Helper()
	groups, err := k.admin.DescribeGroups(t.Context(), k.groups()...)
	require.NoError(t, err)
	for _, g := range groups {
		if g.State != "Stable" || len(g.Members) != members {
			return false
		}
	}
	return len(groups) == len(k.groups())
}

// left is how many messages are not committed.
func (k *kafkaRun) left(t *testing.T) (left int64) {
	t.Helper()
	ends, err := k.admin.ListEndOffsets(t.Context(), k.all()...)
	require.NoError(t, err)
	for i, group := range k.groups() {
		committed, err := k.admin.FetchOffsets(t.Context(), group)
		require.NoError(t, err)
		for partition, end := range ends[k.all()[i]] {
			done := int64(0)
			if o, ok := committed.Lookup(k.all()[i], partition); ok {
				done = o.At
			}
			left += end.Offset - done
		}
	}
	return left
}

// Collectors of one group share topics of several partitions; one is killed in
// the middle, another one joins. Nothing is lost, and what came twice is there
// once.
func TestFullStackKafkaLosesNothingWhenACollectorDies(t *testing.T) {
	n := *kafkaEvents
	k, traffic, want := newKafkaRun(t, 12), newKafkaTraffic(n), map[string]bool{}
	began := time.Now()
	a, b, c := freeAddresses(t), freeAddresses(t), freeAddresses(t)
	first := k.start(t, a)
	k.start(t, b)
	// One that joins late finds nothing left to share.
	require.Eventually(t, func() bool { return k.shared(t, 2) }, drainTimeout, pollInterval, "both collectors are members")
	traffic.produce(t, k.client, k.kafkaTopics, 0, n/2, want)
	require.Eventually(t, func() bool {
		return count(t, a.query, "/api/v1/telemetry") > int64(n)/8 && count(t, b.query, "/api/v1/telemetry") > int64(n)/8
	},
		drainTimeout, pollInterval, "both collectors have a share")
	require.NoError(t, first.cmd.Process.Kill())
	require.Equal(t, -1, first.end(t), "ended by the signal")
	uncommitted := k.left(t)

	k.start(t, c)
	traffic.produce(t, k.client, k.kafkaTopics, n/2, n, want)
	// The store of the killed one opens again, and what it had is there.
	k.start(t, a)
	require.Eventually(t, func() bool { return k.left(t) == 0 }, drainTimeout, 500*time.Millisecond, "all messages are committed")
	took := time.Since(began)

	stored, rows, shares := map[string]int{}, 0, []int{}
	for _, at := range []addresses{a, b, c} {
		own := map[string]bool{}
		eachStored(t, at.query, func(e *storedEvent) {
			rows++
			if own[e.key()] {
				assert.Fail(t, "an event twice in one API", "%s %s", e.EventID, e.key())
			}
			own[e.key()] = true
			stored[e.key()]++
		})
		shares = append(shares, len(own))
	}
	lost, strange := 0, 0
	for key := range want {
		if stored[key] == 0 {
			lost++
		}
	}
	for key := range stored {
		if !want[key] {
			strange++
		}
	}
	t.Logf("RESULT kafka.sent=%d kafka.otlp=%d kafka.json=%d kafka.stored_distinct=%d kafka.lost=%d kafka.unknown=%d kafka.stored_by_two=%d "+
		"kafka.uncommitted_messages_at_kill=%d kafka.shares=%v kafka.seconds=%.1f",
		len(want), n, n, len(stored), lost, strange, rows-len(stored), uncommitted, shares, took.Seconds())
	assert.Len(t, want, 2*n)
	assert.Zero(t, lost, "every event is stored")
	assert.Zero(t, strange, "and no other")
	for i, s := range shares {
		assert.Positive(t, s, "collector %d took part", i)
	}
}

// deadLetters reads the files of a folder: reason by message.
func deadLetterFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	require.NoError(t, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var r struct {
				Reason  string `json:"reason"`
				Message []byte `json:"message_base64"`
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
			require.NotContains(t, out, string(r.Message), "once")
			out[string(r.Message)] = r.Reason
		}
	}
	return out
}

// deadLetterTopic reads n records of the topic: reason by message.
func (k *kafkaRun) deadLetterTopic(t *testing.T, n int) map[string]string {
	t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(k.brokers), kgo.ConsumeTopics(k.deadLetter), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer reader.Close()
	out := map[string]string{}
	for deadline := time.Now().Add(startTimeout); len(out) < n && time.Now().Before(deadline); {
		reader.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
			require.NotContains(t, out, string(r.Value), "once")
			out[string(r.Value)] = string(r.Headers[0].Value)
		})
	}
	return out
}

// Messages that cannot be read stand between good ones. All good ones arrive,
// and the dead letters are the bad ones, byte by byte.
func TestFullStackKafkaPoisonNeverBlocks(t *testing.T) {
	const n = 400
	k, traffic, want := newKafkaRun(t, 1), newKafkaTraffic(n), map[string]bool{}
	at := freeAddresses(t)
	bad := map[string]map[string]string{
		k.events: {
			"\x00\x01\xff": "invalid_json", `{"event_id":"x"`: "invalid_json", `{"other":"schema"}`: "unknown_schema",
			`{"model_name":"m"}`: "missing_field", `{"model_name":"m","timestamp":"2026-01-02T03:04:05Z","latency_ms":-1}`: "invalid_value",
		},
		k.proto: {"\x0a\x05xx": "invalid_otlp", "hello, world": "invalid_otlp"},
		k.json:  {`{"resourceSpans":[{"scopeSpans":5}]}`: "invalid_otlp", `{"resourceSpans":[`: "invalid_json", `{"a":1}`: "invalid_otlp"},
	}
	half := func(from, to int) {
		traffic.produce(t, k.client, k.kafkaTopics, from, to, want)
	}
	half(0, n/2)
	for topic, messages := range bad {
		for m := range messages {
			require.NoError(t, k.client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(m)}).FirstErr())
		}
	}
	// A bad event among good ones of one message.
	mixed := `{"model":"m","timestamp":"yesterday"}`
	require.NoError(t, k.client.ProduceSync(t.Context(), &kgo.Record{
		Topic: k.events, Value: []byte("[" + traffic.json(n, want) + "," + mixed + "," + traffic.json(n+1, want) + "]"),
	}).FirstErr())
	bad[k.events][mixed] = "invalid_value"
	half(n/2, n)

	k.start(t, at)
	require.Eventually(t, func() bool { return k.left(t) == 0 }, startTimeout, 100*time.Millisecond, "no partition is blocked")
	got := map[string]bool{}
	eachStored(t, at.query, func(e *storedEvent) { got[e.key()] = true })
	assert.Equal(t, want, got, "all good events are stored")
	assert.Equal(t, bad[k.events], deadLetterFiles(t, filepath.Join(at.dir, "dead-letter", "events")))
	assert.Equal(t, bad[k.proto], deadLetterFiles(t, filepath.Join(at.dir, "dead-letter", "otlp_proto")))
	assert.Equal(t, bad[k.json], k.deadLetterTopic(t, len(bad[k.json])))
	total := len(bad[k.events]) + len(bad[k.proto]) + len(bad[k.json])
	assert.InDelta(t, total, metric(t, at.metrics, "sentinel_encoding_poison_total"), 0)
	assert.InDelta(t, total, metric(t, at.metrics, "sentinel_encoding_dead_letters_total"), 0)
}

// A store that refuses keeps offsets where they are; when it takes data again,
// all of them arrive.
func TestFullStackKafkaCommitsOnlyWhatIsStored(t *testing.T) {
	const n = 500
	k, traffic, want := newKafkaRun(t, 2), newKafkaTraffic(n), map[string]bool{}
	at := freeAddresses(t)
	traffic.produce(t, k.client, k.kafkaTopics, 0, n, want)
	before := k.left(t)
	require.Positive(t, before)
	// No write can be done in a nanosecond.
	refusing := k.start(t, at, "yaml:exporters::llm_storage: {timeout: 1ns, retry_on_failure: {enabled: false}}")
	require.Eventually(t, func() bool {
		return metric(t, at.metrics, "otelcol_exporter_send_failed_spans(?:_total)?") > 3*callsPerMessage
	},
		startTimeout, 100*time.Millisecond, "writes were refused, again and again")
	assert.Zero(t, count(t, at.query, "/api/v1/telemetry"))
	assert.Equal(t, before, k.left(t), "nothing is committed")
	// Ending well commits what is marked: still nothing.
	require.NoError(t, refusing.cmd.Process.Signal(os.Interrupt))
	require.Zero(t, refusing.end(t))
	assert.Equal(t, before, k.left(t), "nothing is committed at the end either")

	k.start(t, at)
	require.Eventually(t, func() bool { return k.left(t) == 0 }, startTimeout, 100*time.Millisecond, "all messages are committed")
	got := map[string]bool{}
	eachStored(t, at.query, func(e *storedEvent) { got[e.key()] = true })
	assert.Equal(t, want, got)
}
