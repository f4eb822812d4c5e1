package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/llm-devops/llm-sentinel/internal/redact"
)

// structured are the types of the sentences that have a form; names and places need
// a model, and domains are no personal data by themselves.
var structured = map[string]redact.Type{
	"EMAIL_ADDRESS": redact.Email,
	"PHONE_NUMBER":  redact.Phone,
	"CREDIT_CARD":   redact.CreditCard,
	"US_SSN":        redact.SSN,
	"IBAN_CODE":     redact.IBAN,
	"IP_ADDRESS":    redact.IPAddress,
}

// sentence is one of presidio-research's synthetic data set.
type sentence struct {
	Text  string `json:"full_text"`
	Spans []struct {
		Type  string `json:"entity_type"`
		Start int    `json:"start_position"`
		End   int    `json:"end_position"`
	} `json:"spans"`
}

// score counts true and false positives, and false negatives.
type score struct{ tp, fp, fn int }

func (s score) precision() float64 { return ratio(s.tp, s.tp+s.fp) }
func (s score) recall() float64    { return ratio(s.tp, s.tp+s.fn) }
func (s score) f1() float64        { return ratio(2*s.tp, 2*s.tp+s.fp+s.fn) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

func (s *score) add(o score) { s.tp += o.tp; s.fp += o.fp; s.fn += o.fn }

func runPII(folder string, out io.Writer) error {
	s, err := redact.NewScanner(redact.Options{})
	if err != nil {
		return err
	}
	var b strings.Builder
	err = errors.Join(
		measureSentences(s, folder, &b),
		measureCases(folder, &b),
	)
	hits := telemetryHits(s, telemetryValues, &b)
	fmt.Fprintf(&b, "RESULT pii.telemetry_false_hits %d hits\n", hits)
	_, failed := io.WriteString(out, b.String())
	return errors.Join(err, failed)
}

func load(path string, v any) error {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", errNoData, path)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// measureSentences scores the structured types on the synthetic sentences, plain and
// inside JSON inside JSON.
func measureSentences(s *redact.Scanner, folder string, out *strings.Builder) error {
	var sentences []sentence
	if err := load(filepath.Join(folder, "presidio_research", "synth_dataset_v2.json"), &sentences); err != nil {
		return err
	}
	byType := map[redact.Type]score{}
	for _, x := range sentences {
		found := s.Scan(nil, x.Text)
		for t, sc := range compare(x, found) {
			sum := byType[t]
			sum.add(sc)
			byType[t] = sum
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "type\tprecision\trecall\tF1\ttrue\tfalse\tmissed\n")
	var all score
	for _, t := range redact.Types() {
		sc, ok := byType[t]
		if !ok {
			continue
		}
		all.add(sc)
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.3f\t%d\t%d\t%d\n", t, sc.precision(), sc.recall(), sc.f1(), sc.tp, sc.fp, sc.fn)
	}
	fmt.Fprintf(w, "all\t%.3f\t%.3f\t%.3f\t%d\t%d\t%d\n", all.precision(), all.recall(), all.f1(), all.tp, all.fp, all.fn)
	if err := w.Flush(); err != nil {
		return err
	}
	nested, err := nestedShare(s, sentences)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "RESULT pii.f1 %.4f F1\nRESULT pii.card_f1 %.4f F1\nRESULT pii.nested %.4f share\n",
		all.f1(), byType[redact.CreditCard].f1(), nested)
	return nil
}

// compare counts, by type, spans that a match of the same type overlaps, and matches
// that overlap none.
func compare(x sentence, found []redact.Match) map[redact.Type]score {
	scores := map[redact.Type]score{}
	used := make([]bool, len(found))
	offset := byteOffsets(x.Text)
	for _, span := range x.Spans {
		t, ok := structured[span.Type]
		if !ok {
			continue
		}
		sc := scores[t]
		hit := false
		for i, m := range found {
			if m.Type == t && m.Start < offset[span.End] && offset[span.Start] < m.End {
				hit, used[i] = true, true
			}
		}
		if hit {
			sc.tp++
		} else {
			sc.fn++
			if verbose {
				fmt.Printf("MISSED %s %q in %q\n", t, x.Text[offset[span.Start]:offset[span.End]], x.Text)
			}
		}
		scores[t] = sc
	}
	for i, m := range found {
		if !used[i] {
			sc := scores[m.Type]
			sc.fp++
			scores[m.Type] = sc
			if verbose {
				fmt.Printf("FALSE %s %q in %q\n", m.Type, x.Text[m.Start:m.End], x.Text)
			}
		}
	}
	return scores
}

var verbose = os.Getenv("VERBOSE") != ""

// byteOffsets returns the byte position of each character of s, and of its end.
func byteOffsets(s string) []int {
	at := make([]int, 0, utf8.RuneCountInString(s)+1)
	for i := range s {
		at = append(at, i)
	}
	return append(at, len(s))
}

// nestedShare returns the share of sentences in which the same numbers of values, by
// type, are redacted two levels of JSON deep as in the plain text, with valid JSON
// left.
func nestedShare(s *redact.Scanner, sentences []sentence) (float64, error) {
	r, err := redact.NewRedactor(s, nil, nil, "")
	if err != nil {
		return 0, err
	}
	same, all := 0, 0
	for _, x := range sentences {
		var plain, nested redact.Counts
		want, _ := r.Redact(x.Text, &plain)
		if plain.Total() == 0 {
			continue
		}
		all++
		inner, err := json.Marshal(map[string]string{"text": x.Text})
		if err != nil {
			return 0, err
		}
		outer, err := json.Marshal(map[string]any{"arguments": string(inner)})
		if err != nil {
			return 0, err
		}
		got, _ := r.Redact(string(outer), &nested)
		var a struct {
			Arguments string `json:"arguments"`
		}
		var b struct {
			Text string `json:"text"`
		}
		if json.Unmarshal([]byte(got), &a) == nil && json.Unmarshal([]byte(a.Arguments), &b) == nil && b.Text == want && plain == nested {
			same++
		} else if verbose {
			fmt.Printf("NESTED %q\n  want %q\n", got, want)
		}
	}
	return ratio(same, all), nil
}

// unitCase is one parametrised case of Presidio's recognisers.
type unitCase struct {
	Recogniser string   `json:"recognizer"`
	Entities   []string `json:"entities"`
	Text       string   `json:"text"`
	Params     struct {
		Len       *int     `json:"expected_len"`
		Positions [][2]int `json:"expected_positions"`
	} `json:"params"`
}

// claimed are the types of the cases that we find.
var claimed = map[string]redact.Type{
	"EMAIL_ADDRESS": redact.Email, "CREDIT_CARD": redact.CreditCard, "IBAN_CODE": redact.IBAN, "CRYPTO": redact.CryptoAddress,
	"IP_ADDRESS": redact.IPAddress, "MAC_ADDRESS": redact.MACAddress, "US_SSN": redact.SSN, "US_ITIN": redact.ITIN,
	"ABA_ROUTING_NUMBER": redact.ABARouting, "US_NPI": redact.NPI, "UK_NHS": redact.UKNHS, "UK_NINO": redact.UKNINO,
	"CA_SIN": redact.CASIN, "DE_TAX_ID": redact.DETaxID, "ES_NIF": redact.ESNIF, "ES_NIE": redact.ESNIE,
	"IT_FISCAL_CODE": redact.ITFiscalCode, "PL_PESEL": redact.PLPESEL, "FI_PERSONAL_IDENTITY_CODE": redact.FIHETU,
	"SE_PERSONNUMMER": redact.SEPersonnummer, "TR_NATIONAL_ID": redact.TRNationalID, "IN_AADHAAR": redact.INAadhaar,
	"AU_TFN": redact.AUTFN, "AU_ABN": redact.AUABN, "AU_ACN": redact.AUACN, "AU_MEDICARE": redact.AUMedicare,
	"KR_RRN": redact.KRRRN, "KR_FRN": redact.KRFRN, "SG_NRIC_FIN": redact.SGNRIC, "TH_TNIN": redact.THNationalID,
	"ZA_ID_NUMBER": redact.ZAID,
}

// measureCases runs the cases as their tests do: each recogniser alone, on values
// without a sentence around them (Options.Bare); and again as the product does by
// default, where such values are left alone.
func measureCases(folder string, out *strings.Builder) error {
	cases, err := loadCases(filepath.Join(folder, "presidio_unit_cases", "cases.jsonl"))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "cases of\tpassed\tof\tpassed by default\n")
	var passed, byDefault, all int
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range claimed {
			if !yield(n) {
				return
			}
		}
	}) {
		t := claimed[name].String()
		alone, err := redact.NewScanner(redact.Options{Types: []string{t}, Bare: []string{t}})
		if err != nil {
			return err
		}
		plain, err := redact.NewScanner(redact.Options{Types: []string{t}})
		if err != nil {
			return err
		}
		p, d, n := 0, 0, 0
		for _, c := range cases {
			if len(c.Entities) != 1 || c.Entities[0] != name || c.Params.Len == nil {
				continue
			}
			n++
			if c.passes(alone) {
				p++
			} else if verbose {
				fmt.Printf("CASE %s %q want %d %v got %v\n", name, c.Text, *c.Params.Len, c.Params.Positions, alone.Scan(nil, c.Text))
			}
			if c.passes(plain) {
				d++
			}
		}
		if n == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", name, p, n, d)
		passed, byDefault, all = passed+p, byDefault+d, all+n
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if all == 0 {
		return errors.New("no case of a claimed type")
	}
	fmt.Fprintf(out, "RESULT pii.unit_cases %.4f share\nRESULT pii.unit_cases_default %.4f share\n", ratio(passed, all), ratio(byDefault, all))
	return nil
}

// passes tells whether the scanner finds as many values as expected, at the expected
// positions when the case has some.
func (c *unitCase) passes(s *redact.Scanner) bool {
	found := s.Scan(nil, c.Text)
	if len(found) != *c.Params.Len {
		return false
	}
	if len(c.Params.Positions) != len(found) {
		return true
	}
	offset := byteOffsets(c.Text)
	for i, p := range c.Params.Positions {
		if p[1] >= len(offset) || found[i].Start != offset[p[0]] || found[i].End != offset[p[1]] {
			return false
		}
	}
	return true
}

func loadCases(path string) ([]unitCase, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", errNoData, path)
	}
	if err != nil {
		return nil, err
	}
	var cases []unitCase
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var c unitCase
		if err := d.Decode(&c); errors.Is(err, io.EOF) {
			return cases, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: case %d: %w", path, len(cases)+1, err)
		}
		cases = append(cases, c)
	}
}
