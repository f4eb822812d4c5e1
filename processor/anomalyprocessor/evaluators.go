package anomalyprocessor

import (
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// evaluatorRow says what scores mean of evaluators whose name contains word.
type evaluatorRow struct {
	word string
	typ  anomaly.Type
	// worse: higher scores are worse.
	worse bool
}

// evaluatorTable is searched from the top; names are compared in lower case
// with '-', ' ' and '.' as '_'. An evaluator that no row fits is one of quality
// whose higher scores are better.
var evaluatorTable = []evaluatorRow{
	{"no_hallucination", anomaly.TypeHallucination, false},
	{"hallucination_free", anomaly.TypeHallucination, false},
	{"hallucinat", anomaly.TypeHallucination, true},
	{"confabulat", anomaly.TypeHallucination, true},
	{"unfaithful", anomaly.TypeHallucination, true},
	{"ungrounded", anomaly.TypeHallucination, true},
	{"contradict", anomaly.TypeHallucination, true},
	{"faithful", anomaly.TypeHallucination, false},
	{"grounded", anomaly.TypeHallucination, false},
	{"factual", anomaly.TypeHallucination, false},
	{"context_adherence", anomaly.TypeHallucination, false},

	{"toxic", anomaly.TypeQualityDegradation, true},
	{"bias", anomaly.TypeQualityDegradation, true},
	{"harm", anomaly.TypeQualityDegradation, true},
	{"profan", anomaly.TypeQualityDegradation, true},
	{"insensitiv", anomaly.TypeQualityDegradation, true},
	{"violence", anomaly.TypeQualityDegradation, true},
	{"self_harm", anomaly.TypeQualityDegradation, true},
	{"sexual", anomaly.TypeQualityDegradation, true},
	{"hate", anomaly.TypeQualityDegradation, true},
	{"frustrat", anomaly.TypeQualityDegradation, true},
	{"perplexity", anomaly.TypeQualityDegradation, true},
	{"distance", anomaly.TypeQualityDegradation, true},
	{"error", anomaly.TypeQualityDegradation, true},
}

// Labels that say by themselves whether a result is bad, and those that answer
// the question that the evaluator asks: "yes" is bad news from an evaluator of
// hallucination and good news from one of relevance.
var (
	badLabels = words("fail failed failure hallucinated hallucination unfaithful ungrounded not_grounded not_factual incorrect wrong " +
		"irrelevant not_relevant unrelated toxic biased harmful unsafe violation poor bad negative thumbs_down down dislike frustrated unhelpful incoherent")
	goodLabels = words("pass passed success factual faithful grounded correct right relevant related non_toxic not_toxic unbiased harmless " +
		"safe ok good excellent positive thumbs_up up like helpful coherent not_hallucinated no_hallucination")
	yesLabels = words("yes true y")
	noLabels  = words("no false n none")
)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

var plainName = strings.NewReplacer("-", "_", " ", "_", ".", "_")

func normalise(s string) string { return plainName.Replace(strings.ToLower(strings.TrimSpace(s))) }

// profile is what is known of an evaluator by its name.
type profile struct {
	typ   anomaly.Type
	worse bool // higher scores are worse
}

func (c *EvaluationsConfig) profile(name string) profile {
	p := profile{typ: anomaly.TypeQualityDegradation}
	plain := normalise(name)
	for i := range evaluatorTable {
		if row := &evaluatorTable[i]; strings.Contains(plain, row.word) {
			p = profile{row.typ, row.worse}
			break
		}
	}
	for _, n := range c.HigherIsWorse {
		p.worse = p.worse || strings.EqualFold(n, name)
	}
	for _, n := range c.HigherIsBetter {
		p.worse = p.worse && !strings.EqualFold(n, name)
	}
	return p
}

// failed tells by the label of a result whether it is bad, if the label is
// known.
func (p profile) failed(label string) (bad, known bool) {
	if label == "" || len(label) > 32 {
		return false, false
	}
	l := normalise(label)
	switch {
	case badLabels[l]:
		return true, true
	case goodLabels[l]:
		return false, true
	case yesLabels[l]:
		return p.worse, true
	case noLabels[l]:
		return !p.worse, true
	}
	return false, false
}
