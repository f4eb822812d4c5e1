package export

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// nanos are nanoseconds since 1970 in UTC.
type nanos int64

// event is a row of the table of events. The tags name the columns of Parquet
// and CSV, in this order. New columns go to the end.
type event struct {
	Time             nanos    `parquet:"time,timestamp(nanosecond)"`
	EventID          string   `parquet:"event_id"`
	TraceID          string   `parquet:"trace_id,optional"`
	SpanID           string   `parquet:"span_id,optional"`
	ParentSpanID     string   `parquet:"parent_span_id,optional"`
	Service          string   `parquet:"service_name,dict"`
	Model            string   `parquet:"model,dict"`
	RequestModel     string   `parquet:"request_model,optional,dict"`
	Provider         string   `parquet:"provider,optional,dict"`
	Operation        string   `parquet:"operation,optional,dict"`
	Environment      string   `parquet:"environment,optional,dict"`
	Region           string   `parquet:"region,optional,dict"`
	Tenant           string   `parquet:"tenant_id,optional,dict"`
	User             string   `parquet:"user_id,optional"`
	Session          string   `parquet:"session_id,optional"`
	Agent            string   `parquet:"agent_name,optional,dict"`
	ResponseID       string   `parquet:"response_id,optional"`
	FinishReason     string   `parquet:"finish_reason,optional,dict"`
	Failed           bool     `parquet:"failed"`
	ErrorType        string   `parquet:"error_type,optional,dict"`
	ErrorMessage     string   `parquet:"error_message,optional"`
	LatencyMillis    *float64 `parquet:"latency_ms,optional"`
	TTFTMillis       *float64 `parquet:"ttft_ms,optional"`
	InputTokens      *int64   `parquet:"input_tokens,optional"`
	OutputTokens     *int64   `parquet:"output_tokens,optional"`
	TotalTokens      *int64   `parquet:"total_tokens,optional"`
	CacheReadTokens  *int64   `parquet:"cache_read_tokens,optional"`
	CacheWriteTokens *int64   `parquet:"cache_write_tokens,optional"`
	ReasoningTokens  *int64   `parquet:"reasoning_tokens,optional"`
	CostUSD          *float64 `parquet:"cost_usd,optional"`
	// Metadata is a JSON object of texts.
	Metadata     string `parquet:"metadata,optional"`
	PromptText   string `parquet:"prompt_text,optional"`
	ResponseText string `parquet:"response_text,optional"`
}

func eventRow(e *genai.Event) event {
	r := event{
		Time: nanos(e.Time().UnixNano()), EventID: e.ID.String(),
		Service: e.Service, Model: e.Model(), RequestModel: e.RequestModel, Provider: e.Provider, Operation: e.Operation,
		Environment: e.Environment, Region: e.Region, Tenant: e.Tenant, User: e.User, Session: e.Conversation,
		Agent: e.Agent, ResponseID: e.ResponseID, FinishReason: e.FinishReason,
		Failed: e.Failed, ErrorType: e.ErrorType, ErrorMessage: e.ErrorMessage,
		LatencyMillis: known(e, genai.FieldLatency, e.LatencyMillis), TTFTMillis: known(e, genai.FieldTTFT, e.TTFTMillis),
		InputTokens: known(e, genai.FieldInputTokens, e.InputTokens), OutputTokens: known(e, genai.FieldOutputTokens, e.OutputTokens),
		TotalTokens:     known(e, genai.FieldTotalTokens, e.TotalTokens),
		CacheReadTokens: known(e, genai.FieldCacheReadTokens, e.CacheReadTokens), CacheWriteTokens: known(e, genai.FieldCacheWriteTokens, e.CacheWriteTokens),
		ReasoningTokens: known(e, genai.FieldReasoningTokens, e.ReasoningTokens), CostUSD: known(e, genai.FieldCost, e.CostUSD),
		Metadata: object(e.Metadata), PromptText: e.PromptText, ResponseText: e.ResponseText,
	}
	if !e.TraceID.IsEmpty() {
		r.TraceID = e.TraceID.String()
	}
	if !e.SpanID.IsEmpty() {
		r.SpanID = e.SpanID.String()
	}
	if !e.ParentSpanID.IsEmpty() {
		r.ParentSpanID = e.ParentSpanID.String()
	}
	return r
}

func known[N int64 | float64](e *genai.Event, f genai.Field, v N) *N {
	if !e.Has(f) || math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return nil
	}
	return &v
}

// object is the JSON of a map, empty for none. Keys are sorted.
func object[V any](m map[string]V) string {
	if len(m) == 0 {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil { // numbers that JSON does not know
		return ""
	}
	return string(b)
}

// finding is a row of the table of anomalies.
type finding struct {
	Time           nanos    `parquet:"time,timestamp(nanosecond)"`
	AlertID        string   `parquet:"alert_id"`
	Severity       string   `parquet:"severity,dict"`
	Type           string   `parquet:"anomaly_type,dict"`
	Service        string   `parquet:"service_name,dict"`
	Model          string   `parquet:"model,dict"`
	Metric         string   `parquet:"metric,dict"`
	Method         string   `parquet:"detection_method,dict"`
	Methods        string   `parquet:"detection_methods,optional,dict"` // separated by commas
	Confidence     float64  `parquet:"confidence"`
	Value          *float64 `parquet:"value,optional"`
	Baseline       *float64 `parquet:"baseline,optional"`
	Threshold      *float64 `parquet:"threshold,optional"`
	DeviationSigma *float64 `parquet:"deviation_sigma,optional"`
	SampleCount    int64    `parquet:"sample_count"`
	TimeWindow     string   `parquet:"time_window,optional,dict"`
	TraceID        string   `parquet:"trace_id,optional"`
	SpanID         string   `parquet:"span_id,optional"`
	EventID        string   `parquet:"event_id,optional"`
	User           string   `parquet:"user_id,optional"`
	Region         string   `parquet:"region,optional,dict"`
	RootCause      string   `parquet:"root_cause,optional"`
	Remediation    string   `parquet:"remediation,optional"` // one in a line
	RelatedAlerts  string   `parquet:"related_alerts,optional"`
	RunbookURL     string   `parquet:"runbook_url,optional"`
	// Details and Context are JSON objects of what has no column.
	Details string `parquet:"details,optional"`
	Context string `parquet:"context,optional"`
}

func anomalyRow(a *anomaly.Anomaly) finding {
	methods := make([]string, len(a.Details.Methods))
	for i, m := range a.Details.Methods {
		methods[i] = string(m)
	}
	related := make([]string, len(a.RelatedAlerts))
	for i, id := range a.RelatedAlerts {
		related[i] = id.String()
	}
	details := make(map[string]*float64, len(a.Details.Additional))
	for k, v := range a.Details.Additional {
		details[k] = finite(v)
	}
	return finding{
		Time: nanos(a.Time.UnixNano()), AlertID: a.ID.String(), Severity: a.Severity.String(), Type: string(a.Type),
		Service: a.Service, Model: a.Model, Metric: a.Details.Metric, Method: string(a.Method), Methods: strings.Join(methods, ","),
		Confidence: a.Confidence, Value: finite(a.Details.Value), Baseline: finite(a.Details.Baseline),
		Threshold: finite(a.Details.Threshold), DeviationSigma: finite(a.Details.DeviationSigma),
		SampleCount: int64(min(a.Context.SampleCount, math.MaxInt64)), TimeWindow: a.Context.TimeWindow,
		TraceID: a.Context.TraceID, SpanID: a.Context.SpanID, EventID: a.Context.EventID, User: a.Context.UserID, Region: a.Context.Region,
		RootCause: a.RootCause, Remediation: strings.Join(a.Remediation, "\n"), RelatedAlerts: strings.Join(related, ","),
		RunbookURL: a.RunbookURL, Details: object(details), Context: object(a.Context.Additional),
	}
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// makeValid replaces what is not UTF-8 in the texts of a row: telemetry may hold
// any bytes, readers of Parquet refuse a whole file for one.
func makeValid[R any](row *R) {
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.String && !utf8.ValidString(f.String()) {
			f.SetString(strings.ToValidUTF8(f.String(), "\uFFFD"))
		}
	}
}
