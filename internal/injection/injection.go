package injection

import (
	"fmt"
	"math"
)

// Provenance tells who wrote a text.
type Provenance uint8

const (
	// User is the text of a user's turn.
	User Provenance = iota
	// System is the text of the operator: system prompt, developer message.
	System
	// Assistant is what the model answered.
	Assistant
	// Tool is the result of a tool: untrusted.
	Tool
	// Retrieval is a retrieved document: untrusted.
	Retrieval
)

// Untrusted tells whether nobody in the conversation wrote the text, so that an
// imperative in it has no business there.
func (p Provenance) Untrusted() bool { return p == Tool || p == Retrieval }

// String gives the name of the provenance, as in attributes.
func (p Provenance) String() string {
	switch p {
	case User:
		return "user"
	case System:
		return "system"
	case Assistant:
		return "assistant"
	case Tool:
		return "tool"
	case Retrieval:
		return "retrieval"
	default:
		return "unknown"
	}
}

// priorShift is added to the log-odds. What operators write is full of
// imperatives to the model ("never reveal these instructions") and is hardly ever
// an attack; answers repeat what users wrote. Both are choices, not measurements.
func (p Provenance) priorShift() float64 {
	switch p {
	case System:
		return -3
	case Assistant:
		return -1
	default:
		return 0
	}
}

// Values of Verdict.Decoded.
const (
	DecodedBase64    = "base64"
	DecodedHex       = "hex"
	DecodedRot13     = "rot13"
	DecodedZeroWidth = "zero_width"
)

// Limits of Options.MaxTextBytes, in bytes.
const (
	DefaultMaxTextBytes = 64 << 10
	minMaxTextBytes     = 256
	maxMaxTextBytes     = 16 << 20
)

// Options of a Detector. The zero value is the default.
type Options struct {
	// Threshold is the probability (above 0, up to 1) from which a text is flagged.
	// 0 takes the model's own, one for trusted and one for untrusted text: each has
	// at most 1 % false positives on benign text that the model was not trained on.
	Threshold float64
	// MaxTextBytes bounds what is read of one text, 256 bytes to 16 MiB; 0 means
	// 64 KiB. Of a longer text the first and the last half of that are read.
	MaxTextBytes int
	// Model replaces the embedded model. nil takes the embedded one.
	Model *Model
}

// Verdict is what is known of one text.
type Verdict struct {
	// Score is the probability 0..1 that the text is an attack, calibrated at the
	// prevalence of attacks that Model.Prevalence tells.
	Score float64
	// Flagged tells that Score reaches the threshold.
	Flagged bool
	// Rules has the names of the rules that hit, in the order of RuleNames; nil if
	// none.
	Rules []string
	// Decoded tells how the text that was flagged had been hidden: "" (it was not, or
	// nothing is flagged), base64, hex, rot13, zero_width. Rules has its rules, too.
	Decoded string
	// Truncated tells that the text was longer than MaxTextBytes, and its middle unread.
	Truncated bool
}

// Detector scores texts. It is immutable and may be used by many goroutines.
type Detector struct {
	model      *Model
	thresholds [groups]float64
	maxBytes   int
}

// New checks the options and gives a detector.
func New(o Options) (*Detector, error) {
	if math.IsNaN(o.Threshold) || o.Threshold < 0 || o.Threshold > 1 {
		return nil, fmt.Errorf("threshold: %v is not in 0..1", o.Threshold)
	}
	d := &Detector{model: o.Model, maxBytes: o.MaxTextBytes}
	if d.maxBytes == 0 {
		d.maxBytes = DefaultMaxTextBytes
	}
	if d.maxBytes < minMaxTextBytes || d.maxBytes > maxMaxTextBytes {
		return nil, fmt.Errorf("max_text_bytes: %d is not in %d..%d", o.MaxTextBytes, minMaxTextBytes, maxMaxTextBytes)
	}
	if d.model == nil {
		m, err := embedded()
		if err != nil {
			return nil, err
		}
		d.model = m
	}
	d.thresholds = d.model.thresholds
	if o.Threshold > 0 {
		d.thresholds = [groups]float64{o.Threshold, o.Threshold}
	}
	return d, nil
}

// Threshold is the probability from which a text of this provenance is flagged.
func (d *Detector) Threshold(p Provenance) float64 { return d.thresholds[groupOf(p)] }

// Score judges one text. It does not allocate while no rule hits and nothing is
// decoded, and never keeps the text.
func (d *Detector) Score(text string, p Provenance) Verdict {
	var s Signals
	head, tail := text, ""
	if len(text) > d.maxBytes {
		head, tail = text[:d.maxBytes/2], text[len(text)-d.maxBytes/2:]
	}
	decoded := d.model.read(&s, head, tail)
	g := groupOf(p)
	best := d.model.logit(&s, g)
	hidden, name := verdictOfHidden{}, ""
	if decoded {
		hidden = d.scoreDecoded(&s, head, tail, g)
		if hidden.odds > best {
			best, name = hidden.odds, hidden.encoding
		}
	}
	v := Verdict{Truncated: tail != "", Score: logistic(best + p.priorShift())}
	v.Flagged = v.Score >= d.thresholds[g]
	if name != "" && v.Flagged {
		v.Decoded = name
		s.rules |= hidden.rules
	}
	v.Rules = s.rules.names()
	return v
}

type verdictOfHidden struct {
	odds     float64
	encoding string
	rules    ruleSet
}

// scoreDecoded judges what is hidden in a text, and gives the worst of it.
func (d *Detector) scoreDecoded(s *Signals, head, tail string, g int) verdictOfHidden {
	worst := verdictOfHidden{odds: math.Inf(-1)}
	budget := d.maxBytes
	for _, part := range [2]string{head, tail} {
		if part == "" {
			continue
		}
		budget = decodeAll(part, budget, func(hidden, encoding string) {
			inner := d.model.readHidden(s, hidden, encoding)
			if l := d.model.logit(&inner, g); l > worst.odds {
				worst = verdictOfHidden{odds: l, encoding: encoding, rules: inner.rules}
			}
		})
	}
	return worst
}

func groupOf(p Provenance) int {
	if p.Untrusted() {
		return groupUntrusted
	}
	return groupTrusted
}

func logistic(x float64) float64 {
	// Beyond this the result is 0 or 1 to the last digit that anybody could mean.
	x = max(-30, min(30, x))
	return 1 / (1 + math.Exp(-x))
}
