package anomalyprocessor

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect/burst"
	"github.com/llm-devops/llm-sentinel/internal/detect/simhash"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Context key and values that say what kind of threat a finding is. The first
// three are names of the contract for security_threat.
const (
	contextThreat = "threat"

	threatInjection = iota - 1
	threatJailbreak
	threatExfiltration
	threatGuard
	threatRefusals
	threatUserRefusals
	threatPII
	threatFlood
	numThreats
)

var threatNames = [numThreats]string{
	"prompt_injection", "jailbreak_attempt", "data_exfiltration", "guard", "refusals", "user_refusals", "personal_data", "near_identical_prompts",
}

// Metrics of bursts.
const (
	metricRefusalRate = "refusal_rate"
	metricPIIRate     = "pii_rate"
	metricNearPrompts = "near_identical_prompts"
)

// methodThreshold names the judgement of a single mark.
const methodThreshold anomaly.Method = "threshold"

const finishContentFilter = "content_filter"

// userRing is the number of latest calls of which it is known who made them.
const userRing = 256

// userAlpha is the probability that refusals that hit users at random, each as
// often as he calls, are taken for those of one user.
const userAlpha = 1e-6

// userQuiet is the event time without a finding after which the refusals of a
// user are news again: what they are judged by covers hours of thin traffic.
const userQuiet = time.Hour

// securityRule judges marks of guards and sanitizers, and the shares of calls
// that are refused, carry personal data or repeat a prompt.
type securityRule struct {
	cfg      SecurityConfig
	coolDown time.Duration
	shares   *burst.Detector
	seed     maphash.Seed
}

func newSecurityRule(cfg *Config) (rule, error) {
	d, err := burst.New(burst.Config{MinHits: cfg.Security.MinHits, MinExcess: cfg.Security.MinExcess})
	if err != nil {
		return nil, fmt.Errorf("build the test of refusals: %w", err)
	}
	return &securityRule{cfg: cfg.Security, coolDown: cfg.CoolDown, shares: d, seed: maphash.MakeSeed()}, nil
}

func (*securityRule) name() string        { return "security" }
func (*securityRule) fingerprint() uint64 { return securityVersion }
func (*securityRule) newState() ruleState { return &securityState{} }

func (*securityRule) pass(_ ruleState, _ time.Time, found []finding) []finding { return found }

// securityState is what is kept of one series.
type securityState struct {
	// What each call touches comes first.
	//
	// pii and prompts are nil until the telemetry has such a thing.
	pii     *burst.State
	prompts *flood
	// users are hashes of who made the latest calls, 0 for unknown; refused has
	// a bit for each of them. They are not kept over a restart.
	calls    uint32
	refused  [userRing / 64]uint64
	refusals burst.State
	users    [userRing]uint16
	// told is the event time of the last finding of each kind, 0 for none.
	told [numThreats]int64
}

// flood is what is kept of prompts.
type flood struct {
	window simhash.Window
	near   burst.State
}

func (r *securityRule) call(b *batch, st ruleState, late bool, found []finding) []finding {
	s := st.(*securityState)
	ev := b.event
	refused := ev.FinishReason == finishContentFilter
	user := s.user(r.seed, ev.User, refused)
	if late {
		r.shares.Learn(&s.refusals, b.at, refused)
		return found
	}
	v, news := r.shares.Observe(&s.refusals, b.at, refused)
	if v.End != 0 && !news {
		found = append(found, burstEnd(&v, anomaly.TypeSecurityThreat, metricRefusalRate))
	}
	if refused {
		found = r.refusal(b, s, user, &v, news, found)
	}
	if s.pii != nil || b.signals&genai.SignalMarks != 0 {
		found = r.marked(b, s, found)
	}
	if r.cfg.Flood && b.signals&genai.SignalPrompt != 0 {
		found = r.prompt(b, s, found)
	}
	return found
}

func (r *securityRule) item(b *batch, st ruleState, found []finding) []finding {
	return r.threat(b, st.(*securityState), found)
}

// user takes note of who made the call and returns his hash, 0 for unknown.
func (s *securityState) user(seed maphash.Seed, name string, refused bool) uint16 {
	var h uint16
	if name != "" {
		h = uint16(maphash.String(seed, name)) | 1
	}
	i := s.calls % userRing
	s.users[i] = h
	if refused {
		s.refused[i/64] |= 1 << (i % 64)
	} else {
		s.refused[i/64] &^= 1 << (i % 64)
	}
	s.calls++
	return h
}

// refusal judges a call that was refused: a burst of the series, else whether
// refusals gather on its user.
func (r *securityRule) refusal(b *batch, s *securityState, user uint16, v *burst.Verdict, news bool, found []finding) []finding {
	if news {
		f := burstFinding(v, anomaly.TypeSecurityThreat, metricRefusalRate)
		f.cause = fmt.Sprintf("%d of the latest %d calls were refused (%s), normally %s", v.Hits, v.Items, percent(v.Share), percent(v.Normal))
		return r.tell(b, s, threatRefusals, f, found)
	}
	if user == 0 || s.refusals.InBurst() {
		return found
	}
	var calls, his, refusals, hisRefusals int
	for i := range min(s.calls, userRing) {
		isRefused := s.refused[i/64]>>(i%64)&1 != 0
		calls++
		if isRefused {
			refusals++
		}
		if s.users[i] == user {
			his++
			if isRefused {
				hisRefusals++
			}
		}
	}
	if hisRefusals < r.cfg.MinHits || calls < userRing/2 {
		return found
	}
	share := float64(his) / float64(calls)
	p := binomialTail(refusals, hisRefusals, share)
	if p >= userAlpha {
		return found
	}
	return r.tell(b, s, threatUserRefusals, finding{
		typ: anomaly.TypeSecurityThreat, metric: "user_refusals", method: "binomial", severity: anomaly.SeverityMedium, confidence: min(1-p, .999999),
		value: float64(hisRefusals), baseline: float64(refusals) * share, threshold: float64(r.cfg.MinHits), sigma: math.NaN(),
		samples: uint64(calls), window: fmt.Sprintf("last_%d_samples", calls),
		cause: fmt.Sprintf("%d of %d refusals went to one user, who made %s of the latest %d calls", hisRefusals, refusals, percent(share), calls),
	}, found)
}

// binomialTail is the probability of k or more hits in n tries; 1 when hits are
// more likely than misses, for which nobody asks.
func binomialTail(n, k int, p float64) float64 {
	if p > .5 {
		return 1
	}
	term, sum := math.Pow(1-p, float64(n)), 0.0
	for i := range n + 1 {
		if i >= k {
			sum += term
		}
		term *= float64(n-i) / float64(i+1) * p / (1 - p)
	}
	return min(sum, 1)
}

// marked judges the marks on a call.
func (r *securityRule) marked(b *batch, s *securityState, found []finding) []finding {
	hit := false
	if b.signals&genai.SignalMarks != 0 {
		hit = b.marks.Threat.PII > 0
		found = r.threat(b, s, found)
	}
	if s.pii == nil {
		if !hit {
			return found
		}
		s.pii = &burst.State{}
	}
	v, news := r.shares.Observe(s.pii, b.at, hit)
	if !news {
		if v.End != 0 {
			found = append(found, burstEnd(&v, anomaly.TypeSecurityThreat, metricPIIRate))
		}
		return found
	}
	f := burstFinding(&v, anomaly.TypeSecurityThreat, metricPIIRate)
	f.context = types(&b.marks.Threat)
	f.cause = fmt.Sprintf("%d of the latest %d calls carried personal data (%s), normally %s", v.Hits, v.Items, percent(v.Share), percent(v.Normal))
	return r.tell(b, s, threatPII, f, found)
}

// threat judges what is a finding by itself.
func (r *securityRule) threat(b *batch, s *securityState, found []finding) []finding {
	t := &b.marks.Threat
	single := func(metric string, severity anomaly.Severity, value, limit, confidence float64) finding {
		return finding{
			typ: anomaly.TypeSecurityThreat, metric: metric, method: methodThreshold, severity: severity, confidence: confidence,
			value: value, baseline: 0, threshold: limit, sigma: math.NaN(), window: "single_item", context: types(t),
		}
	}
	if t.Injection >= r.cfg.InjectionScore {
		f := single("prompt_injection_score", anomaly.SeverityHigh, t.Injection, r.cfg.InjectionScore, t.Injection)
		f.cause = fmt.Sprintf("the prompt was scored %s as an attempt of %s (limit %s)",
			appendNumber(nil, t.Injection), threatNames[threatOf(t.InjectionKind, threatInjection)], appendNumber(nil, r.cfg.InjectionScore))
		found = r.tell(b, s, threatOf(t.InjectionKind, threatInjection), f, found)
	}
	if t.ResponseSecrets > 0 {
		f := single("response_secrets", anomaly.SeverityHigh, float64(t.ResponseSecrets), 1, 1)
		f.cause = fmt.Sprintf("the answer held %d secret(s)", t.ResponseSecrets)
		found = r.tell(b, s, threatExfiltration, f, found)
	}
	if kind := threatOf(t.Class, threatGuard); t.Denied || t.GuardScore >= r.cfg.InjectionScore && kind != threatGuard {
		severity := anomaly.SeverityMedium
		if given, err := anomaly.ParseSeverity(t.Severity); err == nil {
			severity = given
		} else if t.GuardScore >= r.cfg.InjectionScore {
			severity = anomaly.SeverityHigh
		}
		confidence := t.GuardScore
		if confidence == 0 {
			confidence = .5 // the guard does not say how sure it is
		}
		f := single("guard_verdict", severity, 1, 1, confidence)
		f.context = withText(withText(f.context, "guard", t.Guard), "guard_class", t.Class)
		f.cause = "a guard reported the item"
		if t.Class != "" {
			f.cause += " as " + strings.Clone(t.Class)
		}
		found = r.tell(b, s, kind, f, found)
	}
	return found
}

// threatOf maps the words of a guard to a kind of threat.
func threatOf(class string, other int) int {
	c := normalise(class)
	switch {
	case strings.Contains(c, "jailbreak"):
		return threatJailbreak
	case strings.Contains(c, "exfil"), strings.Contains(c, "leak"), strings.Contains(c, "secret"):
		return threatExfiltration
	case strings.Contains(c, "inject"):
		return threatInjection
	}
	return other
}

// prompt judges whether prompts repeat each other.
func (r *securityRule) prompt(b *batch, s *securityState, found []finding) []finding {
	fingerprint, ok := simhash.Of(genai.PromptTail(b.from.span, simhash.MaxBytes))
	if !ok {
		return found
	}
	if s.prompts == nil {
		s.prompts = &flood{}
	}
	v, news := r.shares.Observe(&s.prompts.near, b.at, s.prompts.window.Add(fingerprint))
	if !news {
		if v.End != 0 {
			found = append(found, burstEnd(&v, anomaly.TypeSecurityThreat, metricNearPrompts))
		}
		return found
	}
	f := burstFinding(&v, anomaly.TypeSecurityThreat, metricNearPrompts)
	f.cause = fmt.Sprintf("%d of the latest %d prompts were nearly the same as an earlier one (%s), normally %s", v.Hits, v.Items, percent(v.Share), percent(v.Normal))
	return r.tell(b, s, threatFlood, f, found)
}

// tell adds a finding unless one of its kind was told within the cool-down.
func (r *securityRule) tell(b *batch, s *securityState, kind int, f finding, found []finding) []finding {
	quiet := r.coolDown
	if kind == threatUserRefusals {
		quiet = max(quiet, userQuiet)
	}
	if last := s.told[kind]; last != 0 && b.at-last < int64(quiet) && b.at >= last {
		if kind == threatUserRefusals {
			s.told[kind] = b.at // it goes on
		}
		b.counts.suppressed[suppressOngoing]++
		return found
	}
	s.told[kind] = b.at
	f.context = withText(f.context, contextThreat, threatNames[kind])
	return append(found, f)
}

// untell ends the cool-down of the kind of the finding.
func (*securityRule) untell(st ruleState, f *finding) {
	if f.typ != anomaly.TypeSecurityThreat {
		return
	}
	if kind := slices.Index(threatNames[:], f.context[contextThreat]); kind >= 0 {
		st.(*securityState).told[kind] = 0
	}
}

// types names what was found, for the context.
func types(t *genai.Threat) map[string]string {
	if len(t.Types) == 0 {
		return nil
	}
	return map[string]string{"types": strings.Clone(strings.Join(t.Types, ","))}
}

func withText(m map[string]string, k, v string) map[string]string {
	if v == "" {
		return m
	}
	if m == nil {
		m = map[string]string{}
	}
	m[k] = strings.Clone(v)
	return m
}
