package anomalyprocessor

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

const (
	// maxNames is the most names that a statement lists.
	maxNames = 4
	// maxNameBytes is the length at which a name in a statement is cut.
	maxNameBytes = 80
)

// Keys of Context.Additional with what is going on beside an anomaly, each as
// "affected/compared", the anomaly itself included.
const (
	contextProviderModels = "peers.models_of_provider"
	contextOtherProviders = "peers.models_of_other_providers"
	contextModelServices  = "peers.services_of_model"
	contextServiceModels  = "peers.models_of_service"
)

// update tells the memory of peers which episodes of a series are on.
func (p *peers) update(ent *entry, judges []judge, minSamples int) {
	m := ent.member
	if p == nil || m == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m.outside, m.since = ent.outside()
	m.seen = max(m.seen, ent.newest)
	for i := range judges {
		if st := ent.states[i]; st != nil && st.Samples() > uint64(minSamples) {
			m.judged |= 1 << i
		}
	}
}

// subject is the anomaly that is explained.
type subject struct {
	judge  int // ruleJudge for that of a rule
	member *member
	report reported
}

// explain adds to a what is known beside it: related anomalies of other calls
// and how its peers are doing. It returns what bounds left out.
func (p *peers) explain(a *anomaly.Anomaly, s *subject) (limited [numLimits]int64) {
	if p == nil || p.silent {
		return limited
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limited = limited
	if s.member != nil && s.report.provider == "" {
		s.report.provider = s.member.provider
	}
	if facts := p.facts(a, s); facts != "" {
		if a.RootCause != "" {
			a.RootCause += "; "
		}
		a.RootCause += facts
	}
	a.RelatedAlerts = append(a.RelatedAlerts, p.relate(&s.report, p.maxRelated)...)
	return p.limited
}

// facts compares the series with its peers and says how in one line; empty
// when there are none.
func (p *peers) facts(a *anomaly.Anomaly, s *subject) string {
	if s.member == nil {
		return ""
	}
	if s.judge == ruleJudge && !p.log.covers(s.report.at, p.window) {
		p.limited[limitMemory]++
		return ""
	}
	var said []string
	say := func(key string, t *tally, line string) {
		if line == "" {
			return
		}
		a.Context.Additional[key] = strconv.Itoa(t.affected()) + "/" + strconv.Itoa(t.compared())
		said = append(said, line)
	}
	w := phrasingFor(s, p.window)
	provider := s.report.provider
	byModel := func(m *member) string { return m.model }
	if t, ok := p.count(sameProvider, provider, s, byModel); ok {
		say(contextProviderModels, &t, t.sentence(&w, "models of provider "+shortName(provider), s.member.model))
	}
	if t, names, ok := p.countOthers(provider, s); ok {
		say(contextOtherProviders, &t, t.elsewhere(&w, names))
	}
	if t, ok := p.count(sameModel, s.member.model, s, func(m *member) string { return m.service }); ok {
		say(contextModelServices, &t, t.sentence(&w, "services that use "+shortName(s.member.model), s.member.service))
	}
	if t, ok := p.count(sameService, s.member.service, s, byModel); ok {
		say(contextServiceModels, &t, t.sentence(&w, "models of service "+shortName(s.member.service), s.member.model))
	}
	if len(said) == 0 {
		return ""
	}
	return w.topic + " beside it: " + strings.Join(said, "; ")
}

// tally is how the live series of a group are doing, by a name of theirs.
type tally struct {
	// names are those of series that are affected, in part, and not at all.
	outside, partly, within []string
	// since is the earliest onset of those affected, 0 when not known.
	since int64
}

func (t *tally) affected() int { return len(t.outside) + len(t.partly) }
func (t *tally) compared() int { return t.affected() + len(t.within) }

// count compares the series of a group. ok is false when there is no such
// group, or when it is too large for a statement about all of it.
func (p *peers) count(kinship int, name string, s *subject, label func(*member) string) (t tally, ok bool) {
	g := p.groups[kinship][name]
	if name == "" || g == nil {
		return t, false
	}
	if g.left > 0 {
		p.limited[limitGroupSize]++
		return t, false
	}
	t.add(p.states(g, s, label))
	return t, true
}

// peerState says which series of one name are affected.
type peerState struct {
	affected, all int
	since         int64
}

// states looks at the series of a group that can be compared: in use at about
// the time of the anomaly, and with a baseline for the metric.
func (p *peers) states(g *group, s *subject, label func(*member) string) map[string]peerState {
	byName := map[string]peerState{}
	for _, m := range g.members {
		if !nearby(m.seen, s.report.at, p.window) {
			continue
		}
		affected, since := false, int64(0)
		if s.judge == ruleJudge {
			affected = p.log.has(m, &s.report, p.window) || m == s.member
		} else {
			if (m.judged|m.outside)>>s.judge&1 == 0 {
				continue
			}
			affected, since = m.outside>>s.judge&1 != 0, m.since[s.judge]
		}
		st := byName[label(m)]
		st.all++
		if affected {
			st.affected++
			if since != 0 && (st.since == 0 || since < st.since) {
				st.since = since
			}
		}
		byName[label(m)] = st
	}
	return byName
}

// has reports whether an anomaly like r was reported of m.
func (l *reportLog) has(m *member, r *reported, window int64) bool {
	for i := range min(l.n, reportLogSize) {
		if x := &l.ring[i]; x.typ == r.typ && x.metric == r.metric && x.model == m.model && x.service == m.service && nearby(x.at, r.at, window) {
			return true
		}
	}
	return false
}

// covers reports whether no anomaly of the time about at was forgotten.
func (l *reportLog) covers(at, window int64) bool {
	return l.n < reportLogSize || !nearby(l.ring[l.n%reportLogSize].at, at, window)
}

func (t *tally) add(byName map[string]peerState) {
	for name, st := range byName {
		switch st.affected {
		case 0:
			t.within = append(t.within, name)
			continue
		case st.all:
			t.outside = append(t.outside, name)
		default:
			t.partly = append(t.partly, name)
		}
		if st.since != 0 && (t.since == 0 || st.since < t.since) {
			t.since = st.since
		}
	}
	slices.Sort(t.outside)
	slices.Sort(t.partly)
	slices.Sort(t.within)
}

// countOthers compares the models of all other providers with a series that can
// be compared, and names the providers.
func (p *peers) countOthers(provider string, s *subject) (t tally, names []string, ok bool) {
	if provider == "" {
		return t, nil, false
	}
	if len(p.groups[sameProvider]) > maxProviders {
		p.limited[limitGroupSize]++
		return t, nil, false
	}
	for name, g := range p.groups[sameProvider] {
		if name == provider {
			continue
		}
		if g.left > 0 {
			p.limited[limitGroupSize]++
			return t, nil, false
		}
		// A model of two providers counts for each.
		found := p.states(g, s, func(m *member) string { return name + " " + m.model })
		if len(found) > 0 {
			names = append(names, name)
			t.add(found)
		}
	}
	slices.Sort(names)
	return t, names, len(names) > 0
}

// phrasing is how a kind of anomaly is spoken of.
type phrasing struct {
	topic string
	// are and is go with what is affected, calm precedes what is not.
	are, is, calm string
}

func phrasingFor(s *subject, window int64) phrasing {
	if s.judge == ruleJudge {
		had := "had one reported within " + strconv.Itoa(int(time.Duration(window)/time.Minute)) + " minutes"
		return phrasing{topic: string(s.report.typ) + " (" + s.report.metric + ")", are: had, is: had, calm: "none reported"}
	}
	return phrasing{topic: s.report.metric, are: "are outside their limits", is: "is outside its limits", calm: "within limits"}
}

// sentence compares the affected ones of a group, own among them, with the
// rest; empty when there is none to compare with. what names the group.
func (t *tally) sentence(w *phrasing, what, own string) string {
	affected, all := t.affected(), strconv.Itoa(t.compared())
	if t.compared() < 2 || !slices.Contains(t.outside, own) && !slices.Contains(t.partly, own) {
		return ""
	}
	var s string
	switch {
	case affected == t.compared():
		s = "all " + all + " compared " + what + " " + w.are
	case affected == 1:
		s = "of " + all + " compared " + what + " only " + shortName(own) + " " + w.is
	default:
		s = strconv.Itoa(affected) + " of " + all + " compared " + what + " " + w.are
	}
	if affected > 1 {
		s += " (" + listNames(mergeNames(t.outside, t.partly))
		if t.since != 0 {
			s += "; the first since " + time.Unix(0, t.since).UTC().Format(time.RFC3339)
		}
		s += ")"
	}
	if len(t.partly) > 0 {
		s += ", in some services only: " + listNames(t.partly)
	}
	if len(t.within) > 0 {
		s += ", " + w.calm + ": " + listNames(t.within)
	}
	return s
}

// elsewhere says how the models of other providers are doing.
func (t *tally) elsewhere(w *phrasing, providers []string) string {
	s := strconv.Itoa(t.affected()) + " of " + strconv.Itoa(t.compared()) + " compared models of other providers (" + listNames(providers) + ") " + w.are
	if t.affected() > 0 {
		s += ": " + listNames(mergeNames(t.outside, t.partly))
	}
	return s
}

func mergeNames(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return out
}

// listNames writes names, at most maxNames of them.
func listNames(names []string) string {
	short := make([]string, 0, maxNames)
	for _, name := range names[:min(len(names), maxNames)] {
		short = append(short, shortName(name))
	}
	s := strings.Join(short, ", ")
	if more := len(names) - len(short); more > 0 {
		s += " and " + strconv.Itoa(more) + " more"
	}
	return s
}

// shortName cuts a name of unusual length, never inside a character.
func shortName(name string) string {
	if len(name) <= maxNameBytes {
		return name
	}
	return strings.ToValidUTF8(name[:maxNameBytes], "") + "..."
}

// subjectOf prepares an anomaly for comparison. It is known by the names of its
// series, m, when there is one: the model that answers can differ.
func subjectOf(a *anomaly.Anomaly, judge int, m *member, provider string, onset, at int64) *subject {
	s := &subject{judge: judge, member: m, report: reported{
		id: a.ID, service: a.Service, model: a.Model, provider: provider,
		typ: a.Type, metric: a.Details.Metric, onset: onset, at: at,
	}}
	if m != nil {
		s.report.service, s.report.model = m.service, m.model
	}
	return s
}

// addRelated adds the ids of the others to each anomaly of one call.
func addRelated(found []anomaly.Anomaly) {
	ids := make([]uuid.UUID, 0, len(found))
	for i := range found {
		ids = append(ids, found[i].ID)
	}
	for i := range found {
		own := make([]uuid.UUID, 0, len(ids)+len(found[i].RelatedAlerts))
		for k, id := range ids {
			if k != i {
				own = append(own, id)
			}
		}
		for _, id := range found[i].RelatedAlerts {
			if !slices.Contains(own, id) && id != found[i].ID {
				own = append(own, id)
			}
		}
		found[i].RelatedAlerts = own
	}
}
