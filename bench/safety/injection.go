package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/injection"
	"github.com/llm-devops/llm-sentinel/internal/injection/corpus"
	"github.com/llm-devops/llm-sentinel/internal/injection/learn"
)

// heldOutFamilies are left out of training one at a time, with the benign texts of
// the same origin. The last one is all sets of jailbreaks together.
var heldOutFamilies = []struct {
	name string
	sets []string
	// testOnly takes only texts whose words were not trained on in another form.
	testOnly bool
}{
	{"deepset", []string{"deepset"}, false},
	{"in_the_wild", []string{"in_the_wild"}, false},
	{"dan", []string{"dan"}, false},
	{"tap", []string{"tap"}, false},
	{"bipia_text", []string{"bipia_text", "bipia_email"}, false},
	{"bipia_code", []string{"bipia_code", "bipia_code_context"}, false},
	{"whois", []string{"whois"}, true},
	{"encoded", []string{"encoded", "encoded_benign"}, true},
	{"jailbreaks", []string{"in_the_wild", "dan", "tap"}, false},
}

// tally counts the texts of a set.
type tally struct{ n, flagged int }

func (t tally) rate() float64 { return float64(t.flagged) / float64(max(1, t.n)) }

func (t *tally) add(flagged bool) {
	t.n++
	if flagged {
		t.flagged++
	}
}

// injectionBench has the texts that may be judged.
type injectionBench struct {
	all  []corpus.Item // of the data that the model is trained on
	test []corpus.Item
	own  bool // test is a part of all
	w    io.Writer
}

// runInjection judges the embedded model on what it was not trained on, then models
// that were trained without a family on that family, and measures the speed. The
// folder has the form of the public data. If it is another than SENTINEL_DATA, where
// the training texts are, all its texts are judged, without near-duplicates of those.
func runInjection(folder string, w io.Writer) error {
	b := &injectionBench{w: w}
	if err := b.load(folder); err != nil {
		return err
	}
	m, err := injection.Embedded()
	if err != nil {
		return err
	}
	d, err := injection.New(injection.Options{Model: m})
	if err != nil {
		return err
	}
	if err := b.seen(d, m.Prevalence); err != nil {
		return err
	}
	if err := b.unseen(); err != nil {
		return err
	}
	return b.speed(d)
}

func (b *injectionBench) load(folder string) error {
	sources, err := corpus.Load(folder)
	if errors.Is(err, corpus.ErrNoData) {
		return fmt.Errorf("%w: %w", errNoData, err)
	}
	if err != nil {
		return err
	}
	own := cmp.Or(os.Getenv("SENTINEL_DATA"), "../shared/data")
	if !same(folder, own) {
		if trained, err := corpus.Load(own); err == nil {
			b.all = corpus.Build(corpus.Distinct(trained))
			b.test = corpus.Foreign(corpus.Distinct(sources), corpus.Distinct(trained))
			return nil
		}
	}
	b.all, b.own = corpus.Build(corpus.Distinct(sources)), true
	for _, it := range b.all {
		if it.NoTraining || corpus.InTest(it.Key) {
			b.test = append(b.test, it)
		}
	}
	return nil
}

func same(a, b string) bool {
	x, errX := filepath.EvalSymlinks(a)
	y, errY := filepath.EvalSymlinks(b)
	if errX != nil || errY != nil {
		return false
	}
	x, errX = filepath.Abs(x)
	y, errY = filepath.Abs(y)
	return errX == nil && errY == nil && x == y
}

// count judges the items that fn takes, by set.
func count(d *injection.Detector, items []corpus.Item, fn func(corpus.Item) bool) map[string]*tally {
	out := map[string]*tally{}
	for _, it := range items {
		if !fn(it) {
			continue
		}
		t := out[it.Set]
		if t == nil {
			t = &tally{}
			out[it.Set] = t
		}
		t.add(d.Score(it.Text, it.Provenance).Flagged)
	}
	return out
}

func sets(m map[string]*tally) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func pooled(m map[string]*tally) (t tally) {
	for _, v := range m {
		t.n += v.n
		t.flagged += v.flagged
	}
	return t
}

// seen judges the shipped model.
func (b *injectionBench) seen(d *injection.Detector, prevalence float64) error {
	table := tabwriter.NewWriter(b.w, 2, 0, 2, ' ', 0)
	fmt.Fprintf(table, "prompt injection, shipped model, texts that it was not trained on\t\t\n")
	attacks := count(d, b.test, func(it corpus.Item) bool { return it.Attack })
	benign := count(d, b.test, func(it corpus.Item) bool { return !it.Attack })
	for _, name := range sets(attacks) {
		t := attacks[name]
		fmt.Fprintf(table, "attacks\t%s\t%d of %d\n", name, t.flagged, t.n)
	}
	for _, name := range sets(benign) {
		t := benign[name]
		fmt.Fprintf(table, "benign\t%s\t%d of %d\n", name, t.flagged, t.n)
	}
	for _, name := range sets(attacks) {
		fmt.Fprintf(table, "RESULT prompt_injection.recall_at_1pct_fpr.%s %.3f ratio\n", name, attacks[name].rate())
	}
	for _, name := range sets(benign) {
		fmt.Fprintf(table, "RESULT prompt_injection.fpr.%s %.4f ratio\n", name, benign[name].rate())
	}
	fmt.Fprintf(table, "RESULT prompt_injection.fpr.all %.4f ratio\n", pooled(benign).rate())
	for _, untrusted := range []bool{false, true} {
		name := map[bool]string{false: "user", true: "untrusted"}[untrusted]
		of := pooled(count(d, b.test, func(it corpus.Item) bool { return !it.Attack && it.Provenance.Untrusted() == untrusted }))
		fmt.Fprintf(table, "RESULT prompt_injection.fpr.%s %.4f ratio\n", name, of.rate())
	}
	fmt.Fprintf(table, "RESULT prompt_injection.calibration_error %.4f ratio\n", b.calibration(d, prevalence))
	return table.Flush()
}

// calibration is the expected calibration error in ten bins of equal width, with
// attacks weighted to the prevalence that scores are calibrated for.
func (b *injectionBench) calibration(d *injection.Detector, prevalence float64) float64 {
	var share, score, total [10]float64
	counts := map[bool]float64{}
	for _, it := range b.test {
		counts[it.Attack]++
	}
	for _, it := range b.test {
		s := d.Score(it.Text, it.Provenance).Score
		weight := (1 - prevalence) / counts[false]
		if it.Attack {
			weight = prevalence / counts[true]
		}
		i := min(9, int(s*10))
		total[i] += weight
		score[i] += weight * s
		if it.Attack {
			share[i] += weight
		}
	}
	e := 0.0
	for i := range total {
		e += math.Abs(share[i] - score[i])
	}
	return e
}

// unseen trains without a family and judges it, all of it.
func (b *injectionBench) unseen() error {
	table := tabwriter.NewWriter(b.w, 2, 0, 2, ' ', 0)
	fmt.Fprintf(table, "prompt injection, models trained without the family\tfound\tfalse positives\n")
	var results []string
	for _, f := range heldOutFamilies {
		has := func(it corpus.Item) bool { return it.Attack && slices.Contains(f.sets, it.Set) }
		attacks := b.test
		if !f.testOnly && b.own && slices.ContainsFunc(b.all, has) {
			attacks = b.all
		}
		if !slices.ContainsFunc(attacks, has) {
			continue
		}
		m, err := learn.Train(learn.Trainable(b.all, f.sets...))
		if err != nil {
			return fmt.Errorf("train without %s: %w", f.name, err)
		}
		d, err := injection.New(injection.Options{Model: m})
		if err != nil {
			return err
		}
		found := pooled(count(d, attacks, has))
		benign := pooled(count(d, b.test, func(it corpus.Item) bool { return !it.Attack }))
		fmt.Fprintf(table, "%s\t%d of %d\t%d of %d\n", f.name, found.flagged, found.n, benign.flagged, benign.n)
		results = append(results,
			fmt.Sprintf("RESULT prompt_injection.recall_at_1pct_fpr.%s_held_out %.3f ratio", f.name, found.rate()),
			fmt.Sprintf("RESULT prompt_injection.fpr.%s_held_out %.4f ratio", f.name, benign.rate()))
	}
	fmt.Fprintf(table, "%s\n", strings.Join(results, "\n"))
	return table.Flush()
}

// speed is the time for 1 KiB of texts of every kind, the least of several runs of
// each batch, so that what else runs on the machine does not count.
func (b *injectionBench) speed(d *injection.Detector) error {
	const batch, runs, most = 20, 9, 2000
	items := slices.DeleteFunc(slices.Clone(b.test), func(it corpus.Item) bool { return len(it.Text) < 256 })
	total, bytes := 0.0, 0
	for chunk := range slices.Chunk(items[:min(len(items), most)], batch) {
		best := math.Inf(1)
		for range runs {
			begin := time.Now()
			for _, it := range chunk {
				d.Score(it.Text, it.Provenance)
			}
			best = min(best, float64(time.Since(begin).Nanoseconds())/1000)
		}
		total += best
		for _, it := range chunk {
			bytes += len(it.Text)
		}
	}
	_, err := fmt.Fprintf(b.w, "RESULT prompt_injection.us_per_kb %.2f us\n", total/(float64(max(1, bytes))/1024))
	return err
}
