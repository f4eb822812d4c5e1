package llmtraffic

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// BuildOptions choose what [BuildRequests] makes.
type BuildOptions struct {
	// Traffic describes the calls; Rate and Duration are widened so that enough
	// calls exist.
	Traffic Options
	// Plain makes spans without any LLM attribute: HTTP client spans with 20
	// attributes, which a pipeline should pass on untouched.
	Plain bool
}

// BuildRequests makes n export requests of spansPerRequest spans each, for
// benches that need telemetry in memory. With Traffic.Parents a request may
// hold one span more.
func BuildRequests(n, spansPerRequest int, o BuildOptions) ([]ptrace.Traces, error) {
	if n < 1 || spansPerRequest < 1 {
		return nil, fmt.Errorf("requests and spans per request must be above 0, got %d and %d", n, spansPerRequest)
	}
	if o.Plain {
		return plainRequests(n, spansPerRequest, o.Traffic), nil
	}
	t := o.Traffic
	need := time.Duration(float64(n*spansPerRequest) * 2 / t.Rate * float64(time.Second))
	t.Duration = max(t.Duration, need+time.Minute)
	g, err := NewGenerator(t, 0, 1)
	if err != nil {
		return nil, err
	}
	out := make([]ptrace.Traces, 0, n)
	b := NewBatch(spansPerRequest)
	var c Call
	for len(out) < n && g.Next(&c) {
		b.Add(&c)
		if b.Len() >= spansPerRequest {
			out = append(out, b.Take())
		}
	}
	if len(out) < n {
		return nil, fmt.Errorf("made %d of %d requests: the traffic is too thin", len(out), n)
	}
	return out, nil
}

// BuildEncoded is [BuildRequests] as OTLP protobuf, the body of an HTTP export
// request.
func BuildEncoded(n, spansPerRequest int, o BuildOptions) ([][]byte, error) {
	tds, err := BuildRequests(n, spansPerRequest, o)
	if err != nil {
		return nil, err
	}
	var m ptrace.ProtoMarshaler
	out := make([][]byte, len(tds))
	for i, td := range tds {
		if out[i], err = m.MarshalTraces(td); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	return out, nil
}

func plainRequests(n, size int, o Options) []ptrace.Traces {
	rng := rand.New(rand.NewPCG(o.Seed, 2))
	svc := &Service{Name: "web-shop", Environment: "production", Region: "eu-west-1", Version: "5.0.0"}
	at := o.Start.UnixNano()
	out := make([]ptrace.Traces, n)
	b := NewBatch(size)
	for i := range out {
		spans := b.service(svc)
		for range size {
			at += int64(rng.ExpFloat64() * 1e6)
			b.spans++
			plainSpan(spans.AppendEmpty(), rng, at)
		}
		out[i] = b.Take()
	}
	return out
}

func plainSpan(s ptrace.Span, rng *rand.Rand, at int64) {
	var tid pcommon.TraceID
	var sid pcommon.SpanID
	for i := range tid {
		tid[i] = byte(rng.Uint32())
	}
	for i := range sid {
		sid[i] = byte(rng.Uint32())
	}
	s.SetTraceID(tid)
	s.SetSpanID(sid)
	s.SetKind(ptrace.SpanKindClient)
	s.SetName("GET")
	took := int64(rng.ExpFloat64() * 20e6)
	s.SetStartTimestamp(pcommon.Timestamp(at - took))
	s.SetEndTimestamp(pcommon.Timestamp(at))
	a := s.Attributes()
	a.EnsureCapacity(20)
	a.PutStr("http.request.method", "GET")
	a.PutInt("http.response.status_code", 200)
	a.PutStr("url.full", "https://stock.example.com/items/"+strconv.Itoa(rng.IntN(10000)))
	a.PutStr("url.scheme", "https")
	a.PutStr("url.path", "/items")
	a.PutStr("server.address", "stock.example.com")
	a.PutInt("server.port", 443)
	a.PutStr("network.protocol.name", "http")
	a.PutStr("network.protocol.version", "1.1")
	a.PutStr("network.peer.address", "10.0.0.7")
	a.PutInt("network.peer.port", 443)
	a.PutStr("user_agent.original", "shop/5.0")
	a.PutInt("http.request.body.size", 0)
	a.PutInt("http.response.body.size", int64(rng.IntN(100_000)))
	a.PutInt("thread.id", int64(rng.IntN(64)))
	a.PutStr("thread.name", "worker")
	a.PutStr("code.function.name", "shop.Stock.Get")
	a.PutInt("http.request.resend_count", 0)
	a.PutBool("cache.hit", rng.IntN(2) == 0)
	a.PutStr("user.id", "user-"+strconv.Itoa(rng.IntN(500)))
}
