package llmtraffic

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// errors of the base mix: kind and cumulative share. The shares are an
// assumption: the public traces at hand hold only rate-limited runs.
var errorMix = []struct {
	name  string
	share float64
}{{"429", .7}, {"content_filter", .9}, {"timeout", 1}}

const (
	// callTimeout is the client's deadline: a timeout lasts exactly this long.
	callTimeout = 60 * time.Second
	// maxLatency keeps calls within the contract's limit of 600 s.
	maxLatency = 590 * time.Second
	z95        = 1.6448536269514722
)

// series draws the calls of one (service, model). Each series has its own
// random source, so that what happens to one never changes another.
type series struct {
	svc    *Service
	model  *Model
	rng    *rand.Rand
	weight float64
	rate   float64 // calls per second at the diurnal mean

	muIn, sigIn, muOut, sigOut, rho float64
	maxIn, maxOut                   float64
	muTTFT, sigTTFT, muTPOT         float64
	sigTPOT, prefill                float64
	shape, gapScale                 float64
	hourly                          [24]float64
	errorRate                       float64
	parents, texts                  bool

	// evaluator is that of the incidents of the series, empty for none.
	evaluator string
	incidents []indexedIncident
	next      int64 // start of the next call
	users     []string
	tenants   []string
	convs     []string
	idPrefix  string
}

type indexedIncident struct {
	*Incident
	index      int
	start, end int64
}

func newSeries(f *Fitted, svc *Service, m *Model, o *Options, index uint64) *series {
	tp, sp := f.Token(svc.Tokens), f.Speed(m.Speed)
	s := &series{
		svc: svc, model: m, weight: svc.Weight * m.Weight,
		rng:  rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15*(index+1))),
		muIn: math.Log(tp.InputMedian), sigIn: math.Log(tp.InputP95/tp.InputMedian) / z95,
		muOut: math.Log(tp.OutputMedian), sigOut: math.Log(tp.OutputP95/tp.OutputMedian) / z95,
		rho: tp.Rho, maxIn: tp.InputMax, maxOut: tp.OutputMax,
		muTTFT: math.Log(sp.TTFTMedian), sigTTFT: sp.TTFTSigma, muTPOT: math.Log(sp.TPOTMedian), sigTPOT: sp.TPOTSigma,
		prefill: f.PrefillShare(), shape: f.Arrival.WeibullShape, gapScale: 1 / math.Gamma(1+1/f.Arrival.WeibullShape),
		hourly: f.Diurnal.Hourly, errorRate: o.ErrorRate, parents: o.Parents, texts: o.Texts,
		idPrefix: responsePrefix(m.Provider),
	}
	if o.FlatRate {
		for h := range s.hourly {
			s.hourly[h] = 1
		}
	}
	for i := range min(o.Users, 200) {
		s.convs = append(s.convs, "conv-"+svc.Name+"-"+strconv.FormatUint(index, 10)+"-"+strconv.Itoa(i))
	}
	return s
}

func responsePrefix(provider string) string {
	if provider == "anthropic" {
		return "msg_"
	}
	return "chatcmpl-"
}

// advance moves next to the start of the following call. Gaps are Weibull in
// operational time; the rate is piecewise constant (quarter hours of the day,
// incidents), so silence and surge begin and end where the label says.
func (s *series) advance() {
	need := s.gapScale * math.Pow(s.rng.ExpFloat64(), 1/s.shape)
	const quarter = int64(15 * time.Minute)
	t := s.next
	for {
		boundary := (t/quarter + 1) * quarter
		rate := s.rate * s.diurnal(t)
		for i := range s.incidents {
			in := &s.incidents[i]
			if t < in.start {
				boundary = min(boundary, in.start)
			} else if t < in.end {
				boundary = min(boundary, in.end)
				switch in.Kind {
				case KindSilence, KindThroughputDrop, KindThroughputSurge:
					rate *= in.Factor
				}
			}
		}
		have := rate * float64(boundary-t) / 1e9
		if have >= need {
			s.next = max(t+int64(need/rate*1e9), s.next+1)
			return
		}
		need -= have
		t = boundary
	}
}

// diurnal interpolates the hourly profile; each value holds at the middle of
// its hour.
func (s *series) diurnal(t int64) float64 {
	const quarter, day = int64(15 * time.Minute), 24 * float64(time.Hour)
	t = t/quarter*quarter + quarter/2
	h := math.Mod(float64(t)/day, 1)*24 - .5
	if h < 0 {
		h += 24
	}
	i := int(h)
	f := h - float64(i)
	return s.hourly[i%24]*(1-f) + s.hourly[(i+1)%24]*f
}

// draw fills c with the call that starts at next. The number of random draws
// does not depend on incidents, so that calls around an incident stay as they
// would have been.
func (s *series) draw(c *Call) {
	r := s.rng
	start := s.next
	z1, z2, z3, z4 := r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
	uErr, uKind, uStream := r.Float64(), r.Float64(), r.Float64()
	a, b, d := r.Uint64(), r.Uint64(), r.Uint64()

	tokens, inTokens, outTokens, ttftF, latF, costF, errRate, incident := 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, s.errorRate, -1
	var refused, moved float64
	for i := range s.incidents {
		in := &s.incidents[i]
		if start < in.start || start >= in.end {
			continue
		}
		incident = in.index
		k := in.strength(start)
		switch in.Kind {
		case KindLatencySpike, KindLatencyShift:
			latF *= k
		case KindTTFTShift:
			ttftF *= k
		case KindTokenSurge:
			tokens *= k
		case KindDrift, KindVerbosity:
			outTokens *= k
		case KindInputDrift:
			inTokens *= k
		case KindRefusalSurge:
			refused = max(refused, k)
		case KindTopicDrift:
			moved = max(moved, k)
		case KindCostSurge:
			costF *= k
		case KindErrorBurst:
			errRate = max(errRate, k)
		}
	}

	in := math.Exp(s.muIn + s.sigIn*z1)
	out := math.Exp(s.muOut + s.sigOut*(s.rho*z1+math.Sqrt(1-s.rho*s.rho)*z2))
	in = math.Round(max(min(in, s.maxIn), 1) * tokens * inTokens)
	limited := out > min(s.maxOut, float64(s.svc.MaxTokens))
	out = math.Round(max(min(out, s.maxOut, float64(s.svc.MaxTokens)), 1) * tokens * outTokens)

	ttft := math.Exp(s.muTTFT+s.sigTTFT*z3) * (1 + s.prefill*(in/ReferenceInputTokens-1)) * ttftF
	latency := (ttft + (out-1)*math.Exp(s.muTPOT+s.sigTPOT*z4)) * latF
	ttft *= latF

	*c = Call{
		Service: s.svc, Model: s.model, Start: start, Input: int64(in), Output: int64(out), Incident: incident,
		Stream: uStream < s.svc.Streaming, FinishReason: "stop",
		Cost:   (in*s.model.InputPrice + out*s.model.OutputPrice) / 1e6 * costF,
		User:   s.users[d%uint64(len(s.users))],
		Tenant: s.tenants[d%uint64(len(s.users))%uint64(len(s.tenants))],
	}
	c.Conversation = s.convs[(d>>32)%uint64(len(s.convs))]
	binary.BigEndian.PutUint64(c.TraceID[:8], a|1)
	binary.BigEndian.PutUint64(c.TraceID[8:], b)
	binary.BigEndian.PutUint64(c.SpanID[:], b^d|1)
	if s.parents {
		binary.BigEndian.PutUint64(c.Parent[:], a^d|1)
	}
	if limited {
		c.FinishReason = "length"
	}
	if s.texts {
		c.Topic = 1 + topicOf(a, moved)
	}
	s.content(c, unit(a), unit(b), unit(a^b))
	if uErr < errRate {
		s.fail(c, uKind, ttft)
		return
	}
	if share(b) < refused {
		c.FinishReason = "content_filter"
	}
	c.End = start + int64(min(latency*1e9, float64(maxLatency)))
	if c.Stream {
		c.TTFT = min(int64(ttft*1e9), c.End-start)
	}
	c.ResponseID = s.responseID(c)
}

// unit maps random bits to (0, 1).
func unit(bits uint64) float64 { return (float64(bits>>11) + .5) / (1 << 53) }

// content fills what is known of the contents of the call: results of
// evaluators, marks of a sanitizer, refusals and tools. u, v and w in (0, 1) are
// made of the ids, so that no further random number is drawn.
func (s *series) content(c *Call, u, v, w float64) {
	c.Evaluator = s.evaluator
	quality, hallucinated := 1.0, .02
	for i := range s.incidents {
		in := &s.incidents[i]
		if c.Start < in.start || c.Start >= in.end {
			continue
		}
		switch in.Kind {
		case KindQualityDrop:
			quality *= in.Factor
		case KindHallucination:
			hallucinated = in.Factor
		case KindPromptInjection:
			if w < in.Factor {
				c.Injection = .97
			}
		case KindRefusalBurst:
			if w < in.Factor {
				c.FinishReason = "content_filter"
			}
		case KindAgentLoop:
			if w < in.Factor {
				c.Tool, c.Conversation = "get_weather", s.convs[0]
			}
		}
	}
	switch c.Evaluator {
	case evaluatorHallucination:
		c.Label = "factual"
		if u < hallucinated {
			c.Label = "hallucinated"
		}
	case evaluatorRelevance:
		// About normal on the logit scale, median .88.
		normal := math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
		c.Score = quality / (1 + math.Exp(-2-.6*normal))
	}
}

// Names of evaluators.
const (
	evaluatorRelevance     = "relevance"
	evaluatorHallucination = "hallucination"
)

// evaluatorFor is the evaluator whose results show one of the incidents.
func evaluatorFor(incidents []indexedIncident) string {
	for i := range incidents {
		switch incidents[i].Kind {
		case KindQualityDrop:
			return evaluatorRelevance
		case KindHallucination:
			return evaluatorHallucination
		}
	}
	return ""
}

func (s *series) responseID(c *Call) string {
	buf := make([]byte, 0, 64)
	buf = append(buf, s.idPrefix...)
	buf = hex.AppendEncode(buf, c.TraceID[4:])
	return string(buf)
}

// fail turns c into a failed call: a rate limit answers at once and knows no
// tokens, a timeout lasts until the client's deadline, a content filter stops
// after the prompt was read.
func (s *series) fail(c *Call, u, ttft float64) {
	for _, e := range errorMix {
		if u < e.share {
			c.ErrorType = e.name
			break
		}
	}
	c.FinishReason = ""
	switch c.ErrorType {
	case "429":
		c.Input, c.Output, c.Cost = -1, -1, -1
		c.End = c.Start + int64(ttft*.3*1e9)
	case "timeout":
		c.Input, c.Output, c.Cost = -1, -1, -1
		c.End = c.Start + int64(callTimeout)
	case "content_filter":
		c.FinishReason = "content_filter"
		c.Cost = float64(c.Input) * s.model.InputPrice / 1e6
		c.Output = 0
		c.End = c.Start + int64(min(ttft*1e9, float64(maxLatency)))
		c.ResponseID = s.responseID(c)
	}
}
