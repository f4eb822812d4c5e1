package learn

import (
	"math"

	"github.com/llm-devops/llm-sentinel/internal/injection"
)

// example is one text for the calibration: the inputs of the text and of what is
// hidden in it.
type example struct {
	inputs [][injection.Inputs]float64
	attack bool
	set    string
	weight float64
}

const (
	size = injection.Inputs + 1 // and the constant
	// Precision of the Gaussian prior of the weights, in examples.
	precision = 2
	rounds    = 60
	// rechoose is the number of rounds after which what counts of a text is chosen anew.
	rechoose = 10
	// lengthInput is the place of the number of pieces among the inputs.
	lengthInput = 4
)

// prior is the mean of the prior of each weight: what a rule is worth before data
// speak. Some rules are rare in public sets.
func prior(untrusted bool) (p [size]float64) {
	p[1] = 1 // the highest piece
	if untrusted {
		p[1], p[3] = 0.5, 1
	}
	for i, name := range injection.RuleNames {
		w := 2.0
		switch name {
		case "delimiter_flood", "zero_width", "mixed_script", "role_change":
			w = 1
		case "chat_template_token", "tag_unicode", "override_instruction", "markdown_exfiltration":
			w = 3
		case "addressed_to_model":
			if w = 0; untrusted {
				w = 1.5
			}
		}
		p[injection.Inputs-len(injection.RuleNames)+i] = w
	}
	p[injection.Inputs] = -3
	return p
}

// stack fits the calibration: penalised logistic regression by cyclic coordinate
// descent (Friedman, Hastie, Tibshirani, J. Stat. Softw. 2010) with bounds: no head
// and no rule may count against an attack. Of a text with something hidden in it, the
// inputs with the highest log-odds count.
func stack(examples []example, untrusted bool) (weights [injection.Inputs]float64, intercept float64) {
	mean := prior(untrusted)
	w := mean
	inputs := make([][size]float64, len(examples))
	odds := make([]float64, len(examples))
	for round := range rounds {
		if round%rechoose == 0 {
			for i := range examples {
				inputs[i], odds[i] = examples[i].best(&w)
			}
		}
		for j := range w {
			gradient, curvature := precision*(w[j]-mean[j]), float64(precision)
			for i := range examples {
				x := inputs[i][j]
				if x == 0 {
					continue
				}
				p := 1 / (1 + math.Exp(-odds[i]))
				d := p
				if examples[i].attack {
					d--
				}
				gradient += float64(float64(examples[i].weight*d) * x)
				curvature += float64(float64(examples[i].weight*max(p*(1-p), 0.01)*x) * x)
			}
			next := w[j] - max(-0.5, min(0.5, gradient/curvature))
			if j != lengthInput && j != injection.Inputs {
				next = max(next, 0)
			}
			step := next - w[j]
			w[j] = next
			if step != 0 {
				for i := range examples {
					odds[i] += float64(step * inputs[i][j])
				}
			}
		}
	}
	copy(weights[:], w[:injection.Inputs])
	intercept = w[len(w)-1]
	return weights, intercept
}

// best gives the inputs with the highest log-odds, and these.
func (e *example) best(w *[size]float64) (x [size]float64, z float64) {
	z = math.Inf(-1)
	for _, in := range e.inputs {
		s := w[injection.Inputs]
		for i, v := range in {
			s += float64(w[i] * v)
		}
		if s > z {
			z = s
			copy(x[:], in[:])
		}
	}
	x[injection.Inputs] = 1
	return x, z
}
