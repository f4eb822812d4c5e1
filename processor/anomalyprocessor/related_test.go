package anomalyprocessor

import (
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// Anomalies of one cause name each other, as far as they are known.
func TestAnomaliesOfOneCauseAreRelatedAcrossCalls(t *testing.T) {
	run := func() (out []anomaly.Anomaly) {
		r := newRig(t, nil)
		f := newFleet("a gpt-4 openai", "b o3 openai", "c claude anthropic", "b claude anthropic")
		f.send(r, 60)
		for i := range f.gens {
			out = append(out, f.slow(t, r, i))
		}
		out = append(out, one(t, r.send(f.call(0, func(c *call) { c.cost *= 20 }))[0]))
		for range 70 {
			r.send(f.call(3, nil))
		}
		return append(out, f.slow(t, r, 3))
	}
	found := run()
	assert.Empty(t, found[0].RelatedAlerts)
	assert.Equal(t, []uuid.UUID{found[0].ID}, found[1].RelatedAlerts, "the provider in common")
	assert.Empty(t, found[2].RelatedAlerts, "nothing in common")
	assert.Equal(t, []uuid.UUID{found[1].ID, found[2].ID}, sorted(found[3].RelatedAlerts, found), "the service with one, the model with the other")
	assert.Equal(t, anomaly.TypeCostAnomaly, found[4].Type)
	assert.Empty(t, found[4].RelatedAlerts, "another family of types")
	assert.Empty(t, found[5].RelatedAlerts, "11 minutes later")

	again := run()
	for i := range found {
		assert.Equal(t, found[i], again[i], "a replay gives the same")
	}
}

// sorted brings ids into the order of the anomalies.
func sorted(ids []uuid.UUID, as []anomaly.Anomaly) (out []uuid.UUID) {
	for i := range as {
		for _, id := range ids {
			if id == as[i].ID {
				out = append(out, id)
			}
		}
	}
	return out
}

func TestRelatedAnomaliesAreBoundedAndCounted(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Peers.MaxRelated = 2 })
	f := newFleet("a m1 openai", "a m2 openai", "a m3 openai", "a m4 openai")
	f.send(r, 60)
	var found []anomaly.Anomaly
	for i := range f.gens {
		found = append(found, f.slow(t, r, i))
	}
	assert.Equal(t, []uuid.UUID{found[1].ID, found[2].ID}, sorted(found[3].RelatedAlerts, found), "the latest")
	assert.EqualValues(t, 1, r.counter("explanations_limited_total", "reason", "related"))
}

func BenchmarkExplain(b *testing.B) {
	cfg := defaultPeersConfig()
	p := newPeers(&cfg, false)
	var own *member
	for i := range maxGroup {
		m := &member{service: "s" + strconv.Itoa(i%16), model: "m" + strconv.Itoa(i/16), judged: 1, outside: uint(i % 2)}
		p.serve(m, "openai")
		p.join(m)
		own = m
	}
	i := int64(0)
	for b.Loop() {
		i++
		a := anomaly.Anomaly{ID: uuid.UUID{byte(i), byte(i >> 8)}, Service: own.service, Model: own.model, Type: anomaly.TypeLatencySpike, Context: anomaly.Context{Additional: map[string]string{}}}
		p.explain(&a, subjectOf(&a, 0, own, "openai", i, i))
	}
}

func BenchmarkTouch(b *testing.B) {
	r := newRig(b, nil)
	g := newTraffic(1)
	r.send(g.calls(200)...)
	td := traces(g.call())
	bt := &batch{event: &genai.Event{}, engine: r.eng}
	rs := td.ResourceSpans().At(0)
	from := origin{resource: rs.Resource(), scope: rs.ScopeSpans().At(0).Scope(), span: rs.ScopeSpans().At(0).Spans().At(0)}
	key := series.Key{Service: "chat-api", Model: "gpt-4"}
	ref := r.eng.table.Acquire(key, 0)
	defer ref.Release()
	b.ReportAllocs()
	for b.Loop() {
		bt.touch(from, ref.Value, &key)
	}
}
