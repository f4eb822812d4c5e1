package price

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Format is the value of "format" in a price file of ours.
const Format = "sentinel-prices/1"

// maxPrice bounds a price, in USD per million tokens or per thousand requests; it is
// some hundred times the highest price that a provider asks.
const maxPrice = 1e6

type fileTable struct {
	Format    string            `json:"format"`
	Version   string            `json:"version"`
	Date      string            `json:"date"`
	Sources   json.RawMessage   `json:"sources"`
	Providers []json.RawMessage `json:"providers"`
}

type fileProvider struct {
	ID            string                     `json:"id"`
	APIPattern    string                     `json:"api_pattern"`
	ProviderMatch clause                     `json:"provider_match"`
	ModelMatch    clause                     `json:"model_match"`
	Fallback      []string                   `json:"fallback_model_providers"`
	ServiceTiers  map[string]json.RawMessage `json:"service_tiers"`
	Models        []json.RawMessage          `json:"models"`
}

type fileModel struct {
	ID           string                     `json:"id"`
	Match        clause                     `json:"match"`
	Prices       json.RawMessage            `json:"prices"`
	ServiceTiers map[string]json.RawMessage `json:"service_tiers"`
}

// decoder reads a table. A file of ours is read strictly, so that a misspelt field is
// an error; the open format may have fields and prices that we do not know.
type decoder struct{ strict bool }

// decodeTable reads a price file: an object in our format, or an array in the open
// format of genai-prices. The version of the latter is what the caller gives.
// Every error names the field and its value.
func decodeTable(data []byte, version string) (*table, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if len(data) == 0 {
		return nil, errors.New("the file is empty")
	}
	var file fileTable
	d := decoder{strict: data[0] == '{'}
	t := &table{version: version}
	if d.strict {
		if err := d.unmarshal(data, &file); err != nil {
			return nil, err
		}
		if file.Format != Format {
			return nil, fmt.Errorf("format: %q, want %q", cut([]byte(file.Format)), Format)
		}
		if file.Version != "" {
			t.version = file.Version
		}
	} else if err := d.unmarshal(data, &file.Providers); err != nil {
		return nil, err
	}
	if file.Date != "" {
		date, err := time.Parse(time.DateOnly, file.Date)
		if err != nil {
			return nil, fmt.Errorf("date: %q, want a date such as 2026-08-21", cut([]byte(file.Date)))
		}
		t.date = date
	}
	if len(t.version) > 64 {
		return nil, fmt.Errorf("version: %q has %d bytes, want at most 64", cut([]byte(t.version)), len(t.version))
	}
	if len(file.Providers) == 0 {
		return nil, errors.New("providers: none")
	}
	t.providers = make([]provider, len(file.Providers))
	for i, raw := range file.Providers {
		if err := d.provider(raw, &t.providers[i]); err != nil {
			return nil, fmt.Errorf("providers[%d]%s: %w", i, quoted(t.providers[i].id), err)
		}
		if slices.ContainsFunc(t.providers[:i], func(p provider) bool { return p.id == t.providers[i].id }) {
			return nil, fmt.Errorf("providers[%d].id: %q is there twice", i, t.providers[i].id)
		}
	}
	t.index()
	return t, nil
}

func quoted(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf(" (%q)", cut([]byte(id)))
}

// unmarshal reads one JSON value and nothing after it.
func (d decoder) unmarshal(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if d.strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(into); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return fmt.Errorf("%s: a JSON %s, want %s", kind.Field, kind.Value, kind.Type)
		}
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more text follows the JSON value")
	}
	return nil
}

func (d decoder) provider(raw []byte, p *provider) error {
	var f fileProvider
	if err := d.unmarshal(raw, &f); err != nil {
		return err
	}
	p.id = strings.ToLower(strings.TrimSpace(f.ID))
	if p.id == "" || len(p.id) > maxName {
		return fmt.Errorf("id: %q, want 1 to %d bytes", cut([]byte(f.ID)), maxName)
	}
	p.providerMatch, p.modelMatch, p.fallback = f.ProviderMatch, f.ModelMatch, f.Fallback
	if f.APIPattern != "" {
		if len(f.APIPattern) > maxClauseText {
			return fmt.Errorf("api_pattern: %d bytes, want at most %d", len(f.APIPattern), maxClauseText)
		}
		regex, err := regexp.Compile("^(?:" + f.APIPattern + ")")
		if err != nil {
			return fmt.Errorf("api_pattern: %q: %w", cut([]byte(f.APIPattern)), err)
		}
		p.api = clause{kind: clauseRegex, regex: regex}
	}
	var err error
	if p.tiers, err = d.tiers(f.ServiceTiers); err != nil {
		return err
	}
	p.models = make([]model, len(f.Models))
	for i, raw := range f.Models {
		if err := d.model(raw, &p.models[i]); err != nil {
			return fmt.Errorf("models[%d]%s: %w", i, quoted(p.models[i].id), err)
		}
	}
	return nil
}

func (d decoder) model(raw []byte, m *model) error {
	var f fileModel
	if err := d.unmarshal(raw, &f); err != nil {
		return err
	}
	if m.id = f.ID; m.id == "" || len(m.id) > maxName {
		return fmt.Errorf("id: %q, want 1 to %d bytes", cut([]byte(f.ID)), maxName)
	}
	if m.match = f.Match; m.match.kind == clauseNone {
		m.match = clause{kind: clauseEquals, text: strings.ToLower(f.ID)}
	}
	var err error
	if m.tiers, err = d.tiers(f.ServiceTiers); err != nil {
		return err
	}
	m.prices, err = d.schedule(f.Prices)
	return err
}

// schedule reads prices: an object by unit, or an array of such with conditions.
func (d decoder) schedule(raw []byte) (schedule, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '[' {
		var one dated
		err := d.rates(raw, &one.rates)
		return schedule{one}, err
	}
	var list []struct {
		Constraint json.RawMessage `json:"constraint"`
		Prices     json.RawMessage `json:"prices"`
	}
	if err := d.unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	if len(list) == 0 || len(list) > 100 {
		return nil, fmt.Errorf("prices: %d entries, want 1 to 100", len(list))
	}
	s := make(schedule, len(list))
	for i := range list {
		if err := d.when(list[i].Constraint, &s[i].when); err != nil {
			return nil, fmt.Errorf("prices[%d].constraint: %w", i, err)
		}
		if err := d.rates(list[i].Prices, &s[i].rates); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return s, nil
}

func (d decoder) when(raw []byte, w *when) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var f struct {
		Type  string  `json:"type"`
		Date  *string `json:"start_date"`
		Start *string `json:"start_time"`
		End   *string `json:"end_time"`
	}
	if err := (decoder{strict: true}).unmarshal(raw, &f); err != nil {
		return err
	}
	switch {
	case f.Date != nil && f.Start == nil && f.End == nil:
		date, err := time.Parse(time.DateOnly, *f.Date)
		if err != nil {
			return fmt.Errorf("start_date: %q, want a date such as 2026-08-21", cut([]byte(*f.Date)))
		}
		*w = when{kind: whenDate, start: date}
	case f.Date == nil && f.Start != nil && f.End != nil:
		from, err := timeOfDay(*f.Start)
		if err != nil {
			return fmt.Errorf("start_time: %w", err)
		}
		till, err := timeOfDay(*f.End)
		if err != nil {
			return fmt.Errorf("end_time: %w", err)
		}
		*w = when{kind: whenDaily, from: from, till: till}
	default:
		return fmt.Errorf("%s: want start_date, or start_time and end_time", cut(raw))
	}
	return nil
}

// timeOfDay reads 16:30:00Z or 16:30:00+02:00 as time since midnight UTC.
func timeOfDay(text string) (time.Duration, error) {
	t, err := time.Parse("15:04:05Z07:00", text)
	if err != nil {
		return 0, fmt.Errorf("%q, want a time such as 16:30:00Z", cut([]byte(text)))
	}
	t = t.UTC()
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond()), nil
}

func (d decoder) rates(raw []byte, r *rates) error {
	var prices map[string]json.RawMessage
	if err := d.unmarshal(raw, &prices); err != nil {
		return fmt.Errorf("prices: %s is not an object with prices", cut(raw))
	}
	for key, value := range prices {
		u, ok := unitByKey[key]
		if !ok {
			if d.strict {
				return fmt.Errorf("prices.%s: no such unit", cut([]byte(key)))
			}
			continue
		}
		one, err := d.rate(value)
		if err != nil {
			return fmt.Errorf("prices.%s: %w", key, err)
		}
		r.rate[u], r.priced = one, r.priced|1<<u
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("prices: %w", err)
	}
	return nil
}

func (d decoder) rate(raw []byte) (r rate, err error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		r.base, err = d.price(raw)
		return r, err
	}
	var f struct {
		Base  json.RawMessage `json:"base"`
		Tiers []struct {
			Start int64           `json:"start"`
			Price json.RawMessage `json:"price"`
		} `json:"tiers"`
	}
	if err := (decoder{strict: true}).unmarshal(raw, &f); err != nil {
		return r, err
	}
	if r.base, err = d.price(f.Base); err != nil {
		return r, fmt.Errorf("base: %w", err)
	}
	if len(f.Tiers) > 20 {
		return r, fmt.Errorf("tiers: %d, want at most 20", len(f.Tiers))
	}
	for i, t := range f.Tiers {
		p, err := d.price(t.Price)
		if err != nil {
			return r, fmt.Errorf("tiers[%d].price: %w", i, err)
		}
		if t.Start < 0 || t.Start > maxCount {
			return r, fmt.Errorf("tiers[%d].start: %d, want 0 to %d", i, t.Start, int64(maxCount))
		}
		r.tiers = append(r.tiers, tier{start: t.Start, price: p})
	}
	slices.SortStableFunc(r.tiers, func(a, b tier) int { return int(a.start - b.start) })
	return r, nil
}

func (d decoder) price(raw []byte) (float64, error) {
	var p *float64
	if err := json.Unmarshal(raw, &p); err != nil || p == nil {
		return 0, fmt.Errorf("%q is not a number", cut(raw))
	}
	return *p, checkPrice(*p)
}

func checkPrice(p float64) error {
	if math.IsNaN(p) || p < 0 || p > maxPrice {
		return fmt.Errorf("%v, want 0 to %v", p, float64(maxPrice))
	}
	return nil
}
