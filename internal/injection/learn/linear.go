package learn

import (
	"math"
	"math/rand/v2"

	"github.com/llm-devops/llm-sentinel/internal/injection"
)

// row is one piece of a text.
type row struct {
	features []uint32
	// label is 0 or 1, weight 0 for heads that do not see the row.
	label  [2]bool
	weight [2]float32
	fold   int
}

const (
	epochs = 8
	rate   = 0.1
	decay  = 2e-3 // of a weight, per step that touches it
	// seed of the order of rows.
	seed = 0x5EED
)

// linear fits the weights of one head: logistic regression by AdaGrad (Duchi, Hazan,
// Singer, JMLR 2011) with a diagonal matrix. Rows of fold skip are left out (-1: none).
func linear(rows []row, head, skip int) (weights []float32, bias float32) {
	weights = make([]float32, 1<<injection.Bits)
	squares := make([]float32, 1<<injection.Bits)
	for i := range squares {
		squares[i] = 1e-3
	}
	biasSquare := float32(1e-3)
	order := make([]int, 0, len(rows))
	for i := range rows {
		if rows[i].fold != skip && rows[i].weight[head] > 0 && len(rows[i].features) > 0 {
			order = append(order, i)
		}
	}
	r := rand.New(rand.NewPCG(seed, uint64(head)))
	for range epochs {
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			x := &rows[i]
			root := float32(1 / math.Sqrt(float64(len(x.features))))
			sum := float32(0)
			for _, f := range x.features {
				sum += weights[f]
			}
			z := float32(sum*root) + bias
			g := float32(1 / (1 + math.Exp(-float64(z))))
			if x.label[head] {
				g--
			}
			g *= x.weight[head]
			step := g * root
			square := float32(step * step)
			for _, f := range x.features {
				s := squares[f] + square
				squares[f] = s
				w := weights[f]
				weights[f] = w - float32(rate*float32(step+float32(decay*w))/sqrt32(s))
			}
			biasSquare += float32(g * g)
			bias -= float32(rate * g / sqrt32(biasSquare))
		}
	}
	return weights, bias
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
