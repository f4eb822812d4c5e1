package anomalyprocessor

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/detect/burst"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Context keys of findings about evaluations.
const contextEvaluator = "evaluator"

// Scales on which the scores of an evaluator are judged.
const (
	scaleUnit   = iota // all in [0, 1]: logit
	scaleLinear        // some outside
	numScales
)

// Scores in [0, 1] are clipped to this and its complement before the logit is
// taken: what lies beyond is certain enough.
const logitClip = .01

// Smallest shifts worth reporting: on the logit scale (0.9 to 0.86), and as a
// ratio on the linear one.
const (
	minLogitShift  = .4
	minLinearShift = .1
)

// scoreBlock is the number of scores whose mean is judged: many evaluators know
// few values, one of them far more often than the others, and cumulative sums
// take such scores for shifts; their means are close to normal.
const scoreBlock = 8

// evaluationRule judges the results of evaluators, one by one for each series:
// bursts of failed results, and shifts of the score in the bad direction.
type evaluationRule struct {
	cfg EvaluationsConfig
	// models by scale and by whether higher is worse.
	models [numScales][2]*detect.Model
	fails  *burst.Detector
	hash   uint64
}

func newEvaluationRule(cfg *Config) (rule, error) {
	r := &evaluationRule{cfg: cfg.Evaluations}
	h := fnv.New64a()
	for scale, least := range [numScales]detect.Config{{MinAbsolute: minLogitShift}, {MinRelative: minLinearShift}} {
		for worse, direction := range [2]detect.Direction{detect.Down, detect.Up} {
			c := least
			c.Direction, c.Window, c.MinSamples, c.CoolDown = direction, cfg.Window, cfg.MinSamples, cfg.CoolDown
			// A single low score is ordinary: evaluators are noisy, and often
			// know few values only. Shifts of the level count.
			c.Detectors = []detect.DetectorConfig{{Name: "cusum"}}
			m, err := detect.NewModel(c)
			if err != nil {
				return nil, fmt.Errorf("build the model of evaluation scores: %w", err)
			}
			r.models[scale][worse] = m
			_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, m.Fingerprint()))
		}
	}
	var err error
	if r.fails, err = burst.New(burst.Config{MinHits: r.cfg.MinFailures, MinExcess: r.cfg.MinExcess}); err != nil {
		return nil, fmt.Errorf("build the test of failed evaluations: %w", err)
	}
	// What a state means depends on which way a score counts.
	_, _ = fmt.Fprint(h, r.cfg.HigherIsWorse, r.cfg.HigherIsBetter)
	r.hash = h.Sum64()
	return r, nil
}

func (*evaluationRule) name() string          { return "evaluations" }
func (r *evaluationRule) fingerprint() uint64 { return r.hash }
func (r *evaluationRule) newState() ruleState { return &evaluationState{} }

func (*evaluationRule) pass(_ ruleState, _ time.Time, found []finding) []finding { return found }

func (r *evaluationRule) call(b *batch, st ruleState, late bool, found []finding) []finding {
	if b.signals&genai.SignalMarks == 0 {
		return found
	}
	return r.judge(b, st, late, found)
}

func (r *evaluationRule) item(b *batch, st ruleState, found []finding) []finding {
	return r.judge(b, st, false, found)
}

func (r *evaluationRule) judge(b *batch, st ruleState, late bool, found []finding) []finding {
	s := st.(*evaluationState)
	b.counts.skipped[skipEvaluatorLimit] += int64(b.marks.Excess)
	for i := range b.marks.Evaluations {
		ev := &b.marks.Evaluations[i]
		e := s.find(ev.Name)
		if e == nil {
			if len(s.evaluators) == r.cfg.MaxEvaluators {
				b.counts.skipped[skipEvaluatorLimit]++
				continue
			}
			e = r.newEvaluator(strings.Clone(ev.Name))
			s.evaluators = append(s.evaluators, e)
		}
		found = r.result(b, e, ev, late, found)
	}
	return found
}

func (r *evaluationRule) newEvaluator(name string) *evaluator {
	return &evaluator{name: name, profile: r.cfg.profile(name), rule: r}
}

// model is that of the scores of e.
func (r *evaluationRule) model(e *evaluator) *detect.Model {
	if e.profile.worse {
		return r.models[e.scale][1]
	}
	return r.models[e.scale][0]
}

// result judges one result of an evaluator.
func (r *evaluationRule) result(b *batch, e *evaluator, ev *genai.Evaluation, late bool, found []finding) []finding {
	unit := ev.Score >= 0 && ev.Score <= 1
	bad, known := e.profile.failed(ev.Label)
	if !known && ev.Scored && (e.scale == scaleUnit && unit || ev.Score == -1) {
		// Thumbs and the like are -1 and 1, or 0 and 1.
		bad, known = ev.Score > .5, true
		if !e.profile.worse {
			bad = ev.Score < .5
		}
	}
	if known {
		if late {
			r.fails.Learn(&e.fails, b.at, bad)
		} else if v, news := r.fails.Observe(&e.fails, b.at, bad); news {
			found = append(found, e.failing(&v))
		} else if v.End != 0 {
			found = append(found, burstEnd(&v, e.profile.typ, e.failureRate()))
		}
	}
	if !ev.Scored || math.Abs(ev.Score) > math.MaxFloat32/4 {
		return found
	}
	e.observeScale(ev.Score, unit)
	if !e.graded {
		return found // 0 and 1 only: what there is to know is in the failures
	}
	return r.score(b, e, ev.Score, late, found)
}

// score judges the level of the scores.
func (r *evaluationRule) score(b *batch, e *evaluator, score float64, late bool, found []finding) []finding {
	m := r.model(e)
	if e.scores == nil {
		s := m.NewState()
		e.scores = &s
	}
	e.sum += e.judged(score)
	if e.n++; e.n < scoreBlock {
		return found
	}
	y := e.sum / scoreBlock
	e.sum, e.n = 0, 0
	switch {
	case late:
		m.Learn(e.scores, b.at, y)
		return found
	case m.Absorb(e.scores, b.at, y):
		return found
	}
	v := m.Observe(e.scores, b.at, y)
	switch {
	case v.Rebased || v.Recovered:
		return append(found, finding{typ: e.profile.typ, metric: e.scoreLevel(), ended: endReason(v.Rebased), baseline: e.back(v.Expected)})
	case !v.Alarm:
		return found
	case e.fails.InBurst():
		b.counts.suppressed[suppressSameType]++
		return found
	}
	return append(found, e.shifted(&v))
}

// evaluationState is what is kept of the evaluators of one series.
type evaluationState struct {
	evaluators []*evaluator
}

// evaluator is what is kept of one evaluator.
type evaluator struct {
	name    string
	profile profile
	scale   uint8
	// graded: scores other than 0 and 1 (or -1 and 1) were seen.
	graded bool
	scores *detect.State // nil until graded
	// sum and n are of the scores that wait for their block to be full.
	sum   float64
	n     uint8
	fails burst.State
	rule  *evaluationRule
}

func (s *evaluationState) find(name string) *evaluator {
	for _, e := range s.evaluators {
		if e.name == name {
			return e
		}
	}
	return nil
}

// observeScale takes note of what scores there are. A score outside of [0, 1]
// means that all others were on a linear scale, too: the baseline starts anew.
func (e *evaluator) observeScale(score float64, unit bool) {
	if score == 0 || score == 1 || score == -1 {
		return
	}
	e.graded = true
	if !unit && e.scale == scaleUnit {
		e.scale, e.scores, e.sum, e.n = scaleLinear, nil, 0, 0
	}
}

// judged maps a score to the scale on which it is judged.
func (e *evaluator) judged(score float64) float64 {
	if e.scale == scaleLinear {
		return score
	}
	p := min(max(score, logitClip), 1-logitClip)
	return math.Log(p / (1 - p))
}

// back maps a value of the judged scale to a score.
func (e *evaluator) back(y float64) float64 {
	if e.scale == scaleLinear {
		return y
	}
	return 1 / (1 + math.Exp(-y))
}

func (e *evaluator) failing(v *burst.Verdict) finding {
	f := burstFinding(v, e.profile.typ, e.failureRate())
	f.context = map[string]string{contextEvaluator: e.name}
	f.cause = fmt.Sprintf("evaluator %s: %d of the latest %d results failed (%s), normally %s",
		e.name, v.Hits, v.Items, percent(v.Share), percent(v.Normal))
	return f
}

func (e *evaluator) shifted(v *detect.Verdict) finding {
	level, expected := e.back(v.Level), e.back(v.Expected)
	word := "fallen"
	if e.profile.worse {
		word = "risen"
	}
	return finding{
		typ: e.profile.typ, metric: e.scoreLevel(), method: anomaly.MethodCUSUM,
		severity: anomaly.Severity(v.Severity), confidence: v.Confidence,
		value: level, baseline: expected, threshold: e.back(v.Limit), sigma: v.Sigma,
		onset: v.Onset, samples: v.Samples, window: "latest_scores",
		detail:  map[string]float64{"score": v.Score},
		context: map[string]string{contextEvaluator: e.name},
		cause: fmt.Sprintf("evaluator %s: the latest scores are %s on average, %s from the expected %s",
			e.name, appendNumber(nil, level), word, appendNumber(nil, expected)),
	}
}

// failureRate and scoreLevel are the metrics of the evaluator.
func (e *evaluator) failureRate() string { return "evaluation." + e.name + ".failure_rate" }
func (e *evaluator) scoreLevel() string  { return "evaluation." + e.name + ".score" }

// burstEnd is the end of a burst.
func burstEnd(v *burst.Verdict, typ anomaly.Type, metric string) finding {
	return finding{typ: typ, metric: metric, baseline: v.Normal, ended: endReason(v.End == burst.Rebased)}
}

// burstFinding is what a burst tells in general.
func burstFinding(v *burst.Verdict, typ anomaly.Type, metric string) finding {
	return finding{
		typ: typ, metric: metric, method: methodBurst,
		severity: anomaly.Severity(v.Severity), confidence: min(1-v.P, .999999),
		value: v.Share, baseline: v.Normal, threshold: v.Limit, sigma: math.NaN(),
		onset: v.Onset, samples: v.Samples, window: fmt.Sprintf("last_%d_samples", v.Items),
		detail: map[string]float64{"hits": float64(v.Hits), "items": float64(v.Items), "log10_p": math.Log10(v.P)},
	}
}

// methodBurst names the test of package burst.
const methodBurst anomaly.Method = "beta_binomial"

// percent writes a share as a percentage.
func percent(share float64) string { return string(appendNumber(nil, 100*share)) + " %" }
