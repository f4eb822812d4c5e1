package line

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// point is a line as an independent parser reads it.
type point struct {
	measurement string
	columns     map[string]any
	nanos       int64
}

func parse(t *testing.T, payload []byte) (points []point) {
	t.Helper()
	d := lineprotocol.NewDecoderWithBytes(payload)
	for d.Next() {
		p := point{columns: map[string]any{}}
		name, err := d.Measurement()
		require.NoError(t, err)
		p.measurement = string(name)
		for {
			k, v, err := d.NextTag()
			require.NoError(t, err)
			if k == nil {
				break
			}
			require.NotContains(t, p.columns, string(k))
			p.columns[string(k)] = string(v)
		}
		for {
			k, v, err := d.NextField()
			require.NoError(t, err)
			if k == nil {
				break
			}
			require.NotContains(t, p.columns, string(k))
			p.columns[string(k)] = v.Interface()
		}
		at, err := d.Time(lineprotocol.Nanosecond, time.Time{})
		require.NoError(t, err)
		p.nanos = at.UnixNano()
		points = append(points, p)
	}
	return points
}

func decodeAll[T any](t *testing.T, payload []byte, decoder func([]string) *Decoder[T]) (items []T) {
	t.Helper()
	for _, p := range parse(t, payload) {
		columns, values := []string{ColumnTime}, []any{p.nanos}
		for _, k := range slices.Sorted(mapKeys(p.columns)) {
			columns, values = append(columns, k), append(values, p.columns[k])
		}
		item, err := decoder(columns).Decode(values)
		require.NoError(t, err)
		items = append(items, item)
	}
	return items
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func decodeEvents(t *testing.T, payload []byte) []genai.Event {
	t.Helper()
	return decodeAll(t, payload, NewEventDecoder)
}

func decodeAnomalies(t *testing.T, payload []byte) []anomaly.Anomaly {
	t.Helper()
	return decodeAll(t, payload, NewAnomalyDecoder)
}

// zeroFields lists the fields of v that are empty.
func zeroFields(v reflect.Value, prefix string) (names []string) {
	for i := range v.NumField() {
		f, name := v.Field(i), prefix+v.Type().Field(i).Name
		switch {
		case f.IsZero():
			names = append(names, name)
		case f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]():
			names = append(names, zeroFields(f, name+".")...)
		}
	}
	return names
}

func TestAnEventIsReadAsItWasWritten(t *testing.T) {
	full := fullEvent()
	assert.Equal(t, []string{"PromptEmbedding", "ResponseEmbedding"}, zeroFields(reflect.ValueOf(full), ""),
		"a new field of the event needs a column, and a value in this test")
	for name, edit := range map[string]func(*genai.Event){
		"full":            func(*genai.Event) {},
		"usual":           func(e *genai.Event) { *e = usualEvent() },
		"least":           func(e *genai.Event) { *e = genai.Event{ID: e.ID, End: e.End} },
		"no end":          func(e *genai.Event) { e.End = 0 },
		"no start":        func(e *genai.Event) { e.Start = 0 },
		"no answer":       func(e *genai.Event) { e.ResponseModel = "" },
		"no request":      func(e *genai.Event) { e.RequestModel = "" },
		"same model":      func(e *genai.Event) { e.ResponseModel = e.RequestModel },
		"no model":        func(e *genai.Event) { e.RequestModel, e.ResponseModel = "", "" },
		"zeros are known": func(e *genai.Event) { e.InputTokens, e.CostUSD, e.LatencyMillis = 0, 0, 0 },
		"odd tags": func(e *genai.Event) {
			e.Service, e.Operation, e.Environment = "a b,c=d", "x\ny\x00z", `c:\`
			e.ResponseModel = strings.Repeat("long", 400)
		},
		"looks like our own": func(e *genai.Event) { e.ResponseModel = Overflow },
		"large numbers":      func(e *genai.Event) { e.InputTokens, e.CostUSD = math.MaxInt64, math.MaxFloat64 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, tags := range [][]string{nil, {"service"}, testOptions().TelemetryTags, EventDimensions()} {
				s := NewSchema(testOptions(func(o *Options) { o.IncludeText, o.TelemetryTags = true, tags }))
				want := fullEvent()
				edit(&want)
				var b Buffer
				require.Equal(t, Written{}, s.Event(&b, &want))
				assert.Equal(t, want, decodeEvents(t, b.Bytes())[0])
			}
		})
	}
}

func TestAnAnomalyIsReadAsItWasWritten(t *testing.T) {
	assert.Empty(t, zeroFields(reflect.ValueOf(fullAnomaly()), ""), "a new field of the anomaly needs a column, and a value in this test")
	for name, edit := range map[string]func(*anomaly.Anomaly){
		"full":     func(*anomaly.Anomaly) {},
		"some":     func(a *anomaly.Anomaly) { *a = someAnomaly(7) },
		"one item": func(a *anomaly.Anomaly) { a.Details.Methods = a.Details.Methods[:1] },
		"custom":   func(a *anomaly.Anomaly) { a.Type, a.Method = "my own\ttype", `m\` },
	} {
		t.Run(name, func(t *testing.T) {
			for _, tags := range [][]string{nil, {"severity"}, testOptions().AnomalyTags, AnomalyDimensions()} {
				s := NewSchema(testOptions(func(o *Options) { o.AnomalyTags = tags }))
				want := fullAnomaly()
				edit(&want)
				var b Buffer
				require.Equal(t, Written{}, s.Anomaly(&b, &want))
				assert.Equal(t, want, decodeAnomalies(t, b.Bytes())[0])
			}
		})
	}
}

func TestUnknownNumbersOfAnAnomalyAreReadAsUnknown(t *testing.T) {
	s := NewSchema(testOptions())
	want := unknown()
	want.Details.Value = math.Inf(1)
	want.Details.Additional = map[string]float64{"q1": math.NaN(), "q3": math.Inf(-1)}
	var b Buffer
	require.Equal(t, Written{}, s.Anomaly(&b, &want))
	got := decodeAnomalies(t, b.Bytes())[0]
	for _, v := range []float64{got.Confidence, got.Details.Value, got.Details.Baseline, got.Details.Threshold, got.Details.DeviationSigma, got.Details.Additional["q1"], got.Details.Additional["q3"]} {
		assert.True(t, math.IsNaN(v))
	}
}

func TestColumnsAreDescribedAsTheyAreWritten(t *testing.T) {
	check := func(t *testing.T, p point, columns []Column) {
		t.Helper()
		assert.Len(t, p.columns, len(columns)-1, "all but no_end or model_asked")
		for _, c := range columns {
			v, ok := p.columns[c.Name]
			if !ok {
				continue
			}
			switch c.Type {
			case TypeString:
				assert.IsType(t, "", v, c.Name)
			case TypeInt:
				assert.IsType(t, int64(0), v, c.Name)
			case TypeFloat:
				assert.IsType(t, 0.0, v, c.Name)
			case TypeBool:
				assert.Equal(t, true, v, c.Name)
			}
		}
	}
	s := NewSchema(testOptions(func(o *Options) { o.IncludeText = true }))
	var b Buffer
	e := fullEvent()
	e.ResponseModel = "" // model_asked
	s.Event(&b, &e)
	check(t, parse(t, b.Bytes())[0], EventColumns())
	b.Reset(nil)
	a := fullAnomaly()
	s.Anomaly(&b, &a)
	assert.Len(t, parse(t, b.Bytes())[0].columns, len(AnomalyColumns()))
}

func TestTheDecoderReadsWhatServersAnswer(t *testing.T) {
	columns := []string{"time", "event_id", "latency_ms", "prompt_tokens", "has_errors", "start_ns", "streaming", "unknown", "cost_usd"}
	id := "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10"
	want := genai.Event{
		ID: uuid.MustParse(id), Start: 1_767_323_044_000_000_001, End: 1_767_323_045_000_000_002, LatencyMillis: 5, InputTokens: 7, Failed: true, Streaming: true,
		Present: genai.FieldLatency | genai.FieldInputTokens,
	}
	for name, values := range map[string][]any{
		"numbers kept": {json.Number("1767323045000000002"), id, json.Number("5"), json.Number("7"), json.Number("1"), json.Number("1767323044000000001"), true, "x", nil},
		"native":       {int64(1_767_323_045_000_000_002), id, int64(5), float64(7), int64(1), int64(1_767_323_044_000_000_001), true, nil, nil},
		"time as text": {"2026-01-02T03:04:05.000000002Z", id, 5.0, int64(7), int64(1), int64(1_767_323_044_000_000_001), true, nil, nil},
		"without zone": {"2026-01-02T03:04:05.000000002", id, 5.0, int64(7), int64(1), int64(1_767_323_044_000_000_001), true, nil, nil},
	} {
		got, err := NewEventDecoder(columns).Decode(values)
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
	}
}

func TestTheDecoderNamesWhatIsWrong(t *testing.T) {
	id := "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10"
	for want, point := range map[string]map[string]any{
		"column latency_ms: must be a number, got soon":        {"event_id": id, "latency_ms": "soon"},
		"column prompt_tokens: must be an integer, got 1.5":    {"event_id": id, "prompt_tokens": 1.5},
		"column service: must be a text, got 3":                {"event_id": id, "service": int64(3)},
		"column streaming: must be true or false, got 1":       {"event_id": id, "streaming": int64(1)},
		`column event_id: must be a UUID, got "me"`:            {"event_id": "me"},
		`column trace_id: must be 32 hex digits, got "0102"`:   {"event_id": id, "trace_id": "0102"},
		`column span_id: must be 16 hex digits, got "x40`:      {"event_id": id, "span_id": "x405000000000000"},
		`column time: must be a time, got "now"`:               {"event_id": id, "time": "now"},
		"column metadata: unexpected end of JSON":              {"event_id": id, "metadata": "{"},
		"event_id is missing":                                  {"service": "a"},
		`column time_ns: must be an integer, got 1e+30`:        {"event_id": id, "time_ns": 1e30},
		"column has_errors: must be an integer, got 123456789": {"event_id": id, "has_errors": json.Number("12345678901234567890")},
	} {
		columns := slices.Sorted(mapKeys(point))
		values := make([]any, len(columns))
		for i, c := range columns {
			values[i] = point[c]
		}
		_, err := NewEventDecoder(columns).Decode(values)
		require.ErrorContains(t, err, want)
	}
	_, err := NewAnomalyDecoder([]string{"alert_id", "severity"}).Decode([]any{id, "dire"})
	require.ErrorContains(t, err, "column severity: severity must be one of")
	_, err = NewAnomalyDecoder([]string{"alert_id"}).Decode([]any{id})
	require.ErrorContains(t, err, "severity is missing")
	_, err = NewAnomalyDecoder([]string{"severity"}).Decode([]any{"low"})
	require.ErrorContains(t, err, "alert_id is missing")
	_, err = NewEventDecoder([]string{"event_id"}).Decode(nil)
	require.ErrorContains(t, err, "must have 1 values, got 0")
}

// FuzzRoundTrip: whatever the texts are, the line is one line, its tags are
// clean, and what is read is what was written.
func FuzzRoundTrip(f *testing.F) {
	f.Add("chat-api", "gpt-4", "message", uint16(100), int64(1))
	f.Add("a b,c=d\\", "\x00\n\\,", "line\nbreak \"quoted\" \\", uint16(10), int64(-1))
	f.Add("", strings.Repeat("é", maxTagBytes), strings.Repeat("\\", 4000), uint16(0), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, service, model, text string, maxSeries uint16, number int64) {
		for _, s := range []*string{&service, &model, &text} {
			*s = cleanText(*s, maxFieldBytes)
		}
		s := NewSchema(testOptions(func(o *Options) { o.MaxSeries = int(maxSeries) }))
		var b Buffer
		e := fullEvent()
		e.PromptText, e.ResponseText = "", ""
		e.Service, e.ResponseModel, e.ErrorMessage, e.InputTokens = service, model, text, number
		e.Metadata = map[string]string{text: service}
		require.Empty(t, s.Event(&b, &e).Dropped)
		a := fullAnomaly()
		a.Service, a.Type, a.RootCause = service, anomaly.Type(model), text
		a.Details.Methods = []anomaly.Method{anomaly.Method(text)}
		require.Empty(t, s.Anomaly(&b, &a).Dropped)

		points := parse(t, b.Bytes())
		require.Len(t, points, 2)
		mark := len(b.Bytes()) - len(lastLine(t, s, &a))
		require.Equal(t, e, decodeEvents(t, b.Bytes()[:mark])[0])
		require.Equal(t, a, decodeAnomalies(t, b.Bytes()[mark:])[0])
	})
}

// lastLine is the line of a, which s has written before.
func lastLine(t *testing.T, s *Schema, a *anomaly.Anomaly) []byte {
	t.Helper()
	var b Buffer
	require.Empty(t, s.Anomaly(&b, a).Dropped)
	return b.Bytes()
}

// FuzzDecode: whatever a server answers, there is an item or an error.
func FuzzDecode(f *testing.F) {
	f.Add(`{"event_id":"6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10","metadata":"{}","time":1}`)
	f.Add(`{"alert_id":"6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10","severity":"low","details_additional":"{\"a\":null}","time":"2026-01-02T03:04:05"}`)
	f.Fuzz(func(t *testing.T, answer string) {
		var m map[string]any
		d := json.NewDecoder(strings.NewReader(answer))
		d.UseNumber()
		if d.Decode(&m) != nil {
			return
		}
		columns := slices.Sorted(mapKeys(m))
		values := make([]any, len(columns))
		for i, c := range columns {
			values[i] = m[c]
		}
		if e, err := NewEventDecoder(columns).Decode(values); err == nil {
			require.NotEqual(t, uuid.Nil, e.ID)
		}
		if a, err := NewAnomalyDecoder(columns).Decode(values); err == nil {
			require.True(t, a.Severity.Valid())
		}
	})
}
