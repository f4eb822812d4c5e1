package corpus

import (
	"math/rand/v2"
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/injection"
)

// Item is one text to train on or to judge.
type Item struct {
	// Set is the set or family that it counts to.
	Set        string
	Text       string
	Provenance injection.Provenance
	Attack     bool
	// Start and End bound the attack in the text, in bytes.
	Start, End int
	// Key decides the split and the fold: of the text, or of what was put into it.
	Key uint64
	// NoTraining bars it from training by its licence.
	NoTraining bool
	// Generated tells that the project wrote it.
	Generated bool
}

// Names of sets that are generated here.
const (
	SetTemplates     = "templates"
	SetInstructions  = "instructions_in_documents"
	SetEncoded       = "encoded"
	SetWhois         = "whois"
	SetQuestions     = "hard_questions"
	SetDocuments     = "hard_documents"
	SetEncodedBenign = "encoded_benign"
)

// How many texts are made of one source.
const (
	perAttackTemplate  = 14
	perPayloadTemplate = 16
	perHardTemplate    = 14
	perPayload         = 3
	perForm            = 8
	// Every n-th benign request is put into a document, and answer taken as one.
	everyRequest = 3
	everyAnswer  = 3
	// Every n-th benign text is encoded.
	everyEncoded = 12
	// Longest text that is encoded, and longest document, in bytes.
	maxEncoded  = 400
	maxDocument = 3000
)

// builder makes items. Each source has its own random numbers, seeded by its text,
// so that more data do not change what is made of the rest.
type builder struct {
	items     []Item
	documents map[part][]Source
	code      map[part][]Source
	payloads  map[part][]Source
}

// part is what a text and the document that it is put into must have in common:
// whether both are kept from training, and the fold.
type part struct {
	test bool
	fold int
}

func partOf(s Source) part {
	if s.test() {
		return part{test: true}
	}
	return part{fold: Fold(s.Key())}
}

// Build makes the items of the sources. Attacks are put into documents of the same
// split at the beginning, in the middle and at the end; short ones are encoded, too.
func Build(sources []Source) []Item {
	b := &builder{
		documents: map[part][]Source{}, code: map[part][]Source{}, payloads: map[part][]Source{},
	}
	sources = append(sources[:len(sources):len(sources)], generated()...)
	for _, s := range sources {
		at := partOf(s)
		switch {
		case s.Kind == Document && (s.Set == "bipia_code_context" || s.Set == "gpteacher_codegen_answers"):
			b.code[at] = append(b.code[at], s)
		case s.Kind == Document:
			b.documents[at] = append(b.documents[at], s)
		case s.Kind == Request, s.Kind == Payload && s.Set == SetTemplates:
			b.payloads[at] = append(b.payloads[at], s)
		}
	}
	for _, s := range sources {
		b.source(s)
	}
	return b.items
}

func seeded(text, use string) *rand.Rand {
	return rand.New(rand.NewPCG(hash(text), hash(use)))
}

// generated gives what is made of the templates. All texts of a template are in
// one split.
func generated() (out []Source) {
	add := func(set string, kind Kind, templates []string, n int) {
		for _, t := range templates {
			r := seeded(t, set)
			seen := map[string]bool{}
			for range n {
				text := fill(t, r)
				if seen[text] {
					continue
				}
				seen[text] = true
				out = append(out, Source{Set: set, Kind: kind, Text: text, key: Key(t)})
			}
		}
	}
	add(SetTemplates, Attack, attackTemplates, perAttackTemplate)
	add(SetTemplates, Payload, payloadTemplates, perPayloadTemplate)
	add(SetQuestions, Benign, hardQuestions, perHardTemplate)
	add(SetDocuments, Document, hardDocuments, perHardTemplate)
	return out
}

func (b *builder) source(s Source) {
	key, at := s.Key(), partOf(s)
	item := Item{
		Set: s.Set, Text: s.Text, Key: key, NoTraining: s.NoTraining,
		Generated: s.Set == SetTemplates || s.Set == SetQuestions || s.Set == SetDocuments,
	}
	switch s.Kind {
	case Attack:
		item.Attack, item.End = true, len(s.Text)
		b.items = append(b.items, item)
		if len(s.Text) <= maxEncoded {
			b.encode(item, SetEncoded)
		}
	case Payload:
		r := seeded(s.Text, "payload")
		for i := range perPayload {
			list := b.documents[at]
			if s.Set == "bipia_code" || strings.Contains(s.Text, "```") {
				list = b.code[at]
			}
			b.insert(item, list, i, r)
		}
	case Benign:
		b.items = append(b.items, item)
		if mix(key)%everyEncoded == 0 && len(s.Text) <= maxEncoded {
			b.encode(item, SetEncodedBenign)
		}
		if mix(key+1)%everyRequest == 0 && s.Set != SetQuestions && imperative(s.Text) && len(s.Text) <= maxEncoded {
			item.Set = SetInstructions
			b.insert(item, b.documents[at], int(key%3), seeded(s.Text, "request"))
		}
	case Document:
		if strings.HasPrefix(s.Set, "gpteacher") && mix(key+2)%everyAnswer != 0 {
			return
		}
		item.Provenance = provenanceOf(s)
		b.items = append(b.items, item)
		if mix(key)%everyEncoded == 0 && len(s.Text) <= maxEncoded {
			b.encode(item, SetEncodedBenign)
		}
	case Form:
		b.form(item, b.payloads[at])
	case Request: // in forms only
	}
}

// provenanceOf gives half of the documents to tools.
func provenanceOf(s Source) injection.Provenance {
	if mix(s.Key()+3)%2 == 0 {
		return injection.Tool
	}
	return injection.Retrieval
}

// form fills a form with payloads, and once with something benign.
func (b *builder) form(item Item, payloads []Source) {
	benign := item
	benign.Text = strings.ReplaceAll(item.Text, Marker, "Privacy Service Ltd")
	benign.Provenance = injection.Tool
	b.items = append(b.items, benign)
	r := seeded(item.Text, "form")
	for range min(perForm, len(payloads)) {
		payload := payloads[r.IntN(len(payloads))].Text
		at := strings.Index(item.Text, Marker)
		attack := item
		attack.Set, attack.Attack, attack.Provenance = SetWhois, true, injection.Tool
		attack.Text = item.Text[:at] + payload + strings.ReplaceAll(item.Text[at+len(Marker):], Marker, "REDACTED")
		attack.Start, attack.End = at, at+len(payload)
		b.items = append(b.items, attack)
	}
}

// insert puts the text of an item into a document: position 0 at the beginning, 1
// in the middle, 2 at the end, and so on.
func (b *builder) insert(item Item, documents []Source, position int, r *rand.Rand) {
	if len(documents) == 0 {
		return
	}
	d := documents[r.IntN(len(documents))]
	text := d.Text[:min(len(d.Text), maxDocument)]
	gap := []string{"\n", " ", "\n\n"}[r.IntN(3)]
	at := 0
	switch position % 3 {
	case 1:
		at = len(text) / 2
		if i := strings.IndexAny(text[at:], ".\n"); i >= 0 {
			at += i + 1
		} else {
			at = len(text)
		}
	case 2:
		at = len(text)
	}
	head, tail := text[:at], text[at:]
	if head != "" {
		head += gap
	}
	if tail != "" {
		tail = gap + strings.TrimLeft(tail, " ")
	}
	item.Provenance = provenanceOf(d)
	item.Attack = true
	item.Start, item.End = len(head), len(head)+len(item.Text)
	item.Text = head + item.Text + tail
	b.items = append(b.items, item)
}

// Foreign makes the items of sources that are no near-duplicates of texts that may
// have been trained on. Generated items are left out: they are the same anywhere.
func Foreign(sources, trained []Source) []Item {
	index := NewIndex()
	for _, s := range trained {
		if !s.test() {
			index.Add(s.Text)
		}
	}
	var fresh []Source
	for _, s := range sources {
		if s.Kind == Form || !index.Near(s.Text) {
			s.NoTraining = true
			fresh = append(fresh, s)
		}
	}
	var out []Item
	for _, it := range Build(fresh) {
		if it.NoTraining {
			out = append(out, it)
		}
	}
	return out
}

// imperative tells whether a request gives an order. A bare question or a search in a
// document is nothing to find.
func imperative(text string) bool {
	first, _, _ := strings.Cut(text, " ")
	return orders[strings.ToLower(strings.Trim(first, ",:"))]
}

var orders = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`write create implement design develop build generate give provide explain describe
		imagine pretend act take assume draft compose rewrite suggest list convert use make tell find fill answer
		translate summarize summarise add remove replace analyze analyse classify edit show recommend plan read
		select choose predict solve compute calculate identify come extract you as suppose craft share print`) {
		m[w] = true
	}
	return m
}()
