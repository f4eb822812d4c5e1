// Package learn trains the injection model. It is deterministic: the same texts
// give the same file, on one architecture of processor.
package learn

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/llm-devops/llm-sentinel/internal/injection"
	"github.com/llm-devops/llm-sentinel/internal/injection/corpus"
)

const (
	// TargetRate is the share of benign texts above the threshold. It is below the promised 1 % by what a rate moves from one sample to the next.
	TargetRate = 0.005
	// Prevalence is the share of attacks that probabilities are calibrated for.
	Prevalence = 0.1
	// smallSet is the size of a set from which its texts begin to weigh less.
	smallSet = 200
	// largeSet is the most texts that a set counts for in a threshold.
	largeSet = 250
)

// Trainable leaves the items that may be trained on: not of the test split, not
// barred, and not of a set that is held out.
func Trainable(items []corpus.Item, heldOut ...string) []corpus.Item {
	var out []corpus.Item
	for _, it := range items {
		if !corpus.InTest(it.Key) && !it.NoTraining && !slices.Contains(heldOut, it.Set) {
			out = append(out, it)
		}
	}
	return out
}

// Train makes a model of the items, which must have attacks and benign texts.
func Train(items []corpus.Item) (*injection.Model, error) {
	rows := makeRows(items)
	var parts injection.Parts
	parts.Prevalence = Prevalence
	parts.Thresholds = [2]float64{0.5, 0.5} // until they are known
	examples := make([]example, len(items))
	// Each fold is scored by heads that were trained on the others.
	for fold := range corpus.Folds {
		m, err := fit(rows, parts, fold)
		if err != nil {
			return nil, err
		}
		for i, it := range items {
			if corpus.Fold(it.Key) == fold {
				examples[i] = example{inputs: m.Inputs(it.Text), attack: it.Attack, set: it.Set}
			}
		}
	}
	for g, untrusted := range []bool{false, true} {
		var group []example
		weights := balance(items, func(it corpus.Item) bool { return it.Provenance.Untrusted() == untrusted })
		for i := range items {
			if weights[i] > 0 {
				examples[i].weight = weights[i]
				group = append(group, examples[i])
			}
		}
		var err error
		parts.Stack[g], parts.Intercepts[g] = stack(group, untrusted)
		if parts.Thresholds[g], err = threshold(group, &parts, g); err != nil {
			return nil, err
		}
	}
	return fit(rows, parts, -1)
}

// fit trains both heads without a fold.
func fit(rows []row, parts injection.Parts, skip int) (*injection.Model, error) {
	for head := range parts.Weights {
		parts.Weights[head], parts.Biases[head] = linear(rows, head, skip)
	}
	return injection.NewModel(parts)
}

// threshold is the log-odds, as a probability, that TargetRate of the benign texts
// reach. A set counts as no more than largeSet texts, so that a large set of easy
// texts does not hide false positives on the others.
func threshold(group []example, parts *injection.Parts, g int) (float64, error) {
	var w [size]float64
	copy(w[:], parts.Stack[g][:])
	w[injection.Inputs] = parts.Intercepts[g]
	sizes := map[string]float64{}
	for _, e := range group {
		if !e.attack {
			sizes[e.set]++
		}
	}
	type value struct{ z, weight float64 }
	var values []value
	total := 0.0
	for i := range group {
		if e := &group[i]; !e.attack {
			_, z := e.best(&w)
			weight := min(1, largeSet/sizes[e.set])
			values = append(values, value{z, weight})
			total += weight
		}
	}
	if len(values) == 0 {
		return 0, errors.New("no benign texts to take a threshold from")
	}
	slices.SortFunc(values, func(a, b value) int { return cmp.Compare(b.z, a.z) })
	above := 0.0
	for _, v := range values {
		if above += v.weight; above > TargetRate*total {
			// Just above the highest value that must stay below.
			return min(1, 1/(1+math.Exp(-v.z-1e-6))), nil
		}
	}
	return 1, nil
}

// balance gives weights for the calibration: attacks have the share Prevalence, and
// a set the weight of the root of its size.
func balance(items []corpus.Item, use func(corpus.Item) bool) []float64 {
	type class struct {
		set    string
		attack bool
	}
	sizes := map[class]float64{}
	for _, it := range items {
		if use(it) {
			sizes[class{it.Set, it.Attack}]++
		}
	}
	weights := make([]float64, len(items))
	var total [2]float64
	n := 0.0
	for i, it := range items {
		if !use(it) {
			continue
		}
		weights[i] = math.Sqrt(smallSet / max(smallSet, sizes[class{it.Set, it.Attack}]))
		total[index(it.Attack)] += weights[i]
		n++
	}
	for i, it := range items {
		share := 1 - Prevalence
		if it.Attack {
			share = Prevalence
		}
		if weights[i] > 0 {
			weights[i] *= share * n / total[index(it.Attack)]
		}
	}
	return weights
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// makeRows cuts the texts into rows. The direct head sees what users write, and
// documents as benign; the untrusted head sees documents, and pieces with an
// instruction in them as attacks. Encoded texts are left to the decoders.
func makeRows(items []corpus.Item) []row {
	direct := balance(items, func(it corpus.Item) bool { return !encoded(it) && (!it.Provenance.Untrusted() || !it.Attack) })
	untrusted := balance(items, func(it corpus.Item) bool { return !encoded(it) && (it.Provenance.Untrusted() || it.Attack) })
	var rows []row
	for i, it := range items {
		if encoded(it) {
			continue
		}
		first := len(rows)
		injection.Pieces(it.Text, func(offset, length int, features []uint32) {
			// A piece with a fair part of the attack in it.
			overlap := min(it.End, offset+length) - max(it.Start, offset)
			hit := it.Attack && overlap >= min(24, it.End-it.Start)
			if it.Attack && !hit && overlap > 0 {
				return // neither the one nor the other
			}
			w := [2]float32{float32(direct[i]), float32(untrusted[i])}
			if it.Attack && it.Provenance.Untrusted() && !hit {
				w[0] = 0
			}
			rows = append(rows, row{
				features: slices.Clone(features), label: [2]bool{hit, hit}, weight: w, fold: corpus.Fold(it.Key),
			})
		})
		root := float32(1 / math.Sqrt(float64(max(1, len(rows)-first))))
		for j := first; j < len(rows); j++ {
			rows[j].weight[0] *= root
			rows[j].weight[1] *= root
		}
	}
	rebalance(rows)
	return rows
}

// rebalance gives attacks a third of the weight of each head, and a mean of 1.
func rebalance(rows []row) {
	for head := range 2 {
		var total [2]float64
		n := 0.0
		for _, r := range rows {
			if r.weight[head] > 0 {
				total[index(r.label[head])] += float64(r.weight[head])
				n++
			}
		}
		for i := range rows {
			r := &rows[i]
			share := 2.0 / 3
			if r.label[head] {
				share = 1.0 / 3
			}
			if r.weight[head] > 0 {
				r.weight[head] *= float32(share * n / total[index(r.label[head])])
			}
		}
	}
}

func encoded(it corpus.Item) bool {
	return it.Set == corpus.SetEncoded
}
