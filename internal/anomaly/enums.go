package anomaly

import (
	"fmt"
	"strings"
)

// Severity orders anomalies by urgency. The zero value is not a valid
// severity, so that a forgotten field is seen.
type Severity uint8

// The four severities of the contract.
const (
	SeverityLow Severity = iota + 1
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

var severityNames = [...]string{SeverityLow: "low", SeverityMedium: "medium", SeverityHigh: "high", SeverityCritical: "critical"}

// Severities lists all severities in ascending order.
func Severities() []Severity {
	return []Severity{SeverityLow, SeverityMedium, SeverityHigh, SeverityCritical}
}

// Valid reports whether s is one of the four severities.
func (s Severity) Valid() bool { return s >= SeverityLow && s <= SeverityCritical }

func (s Severity) String() string {
	if s.Valid() {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// ParseSeverity reads a severity in any letter case.
func ParseSeverity(text string) (Severity, error) {
	for s := SeverityLow; s <= SeverityCritical; s++ {
		if strings.EqualFold(text, severityNames[s]) {
			return s, nil
		}
	}
	return 0, fmt.Errorf("severity must be one of low, medium, high, critical, got %q", text)
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) {
	if !s.Valid() {
		return nil, fmt.Errorf("severity must be one of low, medium, high, critical, got %d", uint8(s))
	}
	return []byte(severityNames[s]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(text []byte) error {
	v, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// Type says what kind of misbehaviour was found. Names outside the twelve of
// the contract are custom types.
type Type string

// The twelve types of the contract.
const (
	TypeLatencySpike          Type = "latency_spike"
	TypeThroughputDegradation Type = "throughput_degradation"
	TypeErrorRateIncrease     Type = "error_rate_increase"
	TypeTokenUsageSpike       Type = "token_usage_spike"
	TypeCostAnomaly           Type = "cost_anomaly"
	TypeInputDrift            Type = "input_drift"
	TypeOutputDrift           Type = "output_drift"
	TypeConceptDrift          Type = "concept_drift"
	TypeEmbeddingDrift        Type = "embedding_drift"
	TypeHallucination         Type = "hallucination"
	TypeQualityDegradation    Type = "quality_degradation"
	TypeSecurityThreat        Type = "security_threat"
)

var types = []Type{
	TypeLatencySpike, TypeThroughputDegradation, TypeErrorRateIncrease, TypeTokenUsageSpike,
	TypeCostAnomaly, TypeInputDrift, TypeOutputDrift, TypeConceptDrift, TypeEmbeddingDrift,
	TypeHallucination, TypeQualityDegradation, TypeSecurityThreat,
}

// typeAliases are older names that clients of the HTTP API still send.
var typeAliases = map[Type]Type{
	"error_rate_spike":  TypeErrorRateIncrease,
	"model_drift":       TypeConceptDrift,
	"prompt_injection":  TypeSecurityThreat,
	"data_exfiltration": TypeSecurityThreat,
	"jailbreak_attempt": TypeSecurityThreat,
}

// Types lists the twelve types of the contract.
func Types() []Type { return append([]Type(nil), types...) }

// Custom reports whether t is none of the twelve types of the contract.
func (t Type) Custom() bool {
	for _, k := range types {
		if k == t {
			return false
		}
	}
	return true
}

// ParseType reads a type as the HTTP API accepts it: letter case is ignored,
// '-' equals '_', aliases are resolved, and an unknown name is kept unchanged
// as a custom type.
func ParseType(text string) Type {
	norm := Type(strings.ReplaceAll(strings.ToLower(text), "-", "_"))
	if a, ok := typeAliases[norm]; ok {
		return a
	}
	if !norm.Custom() {
		return norm
	}
	return Type(text)
}

// Method names a detector on the wire. Unknown names are custom methods.
type Method string

// The methods of the contract.
const (
	MethodZScore          Method = "z_score"
	MethodIQR             Method = "iqr"
	MethodMAD             Method = "mad"
	MethodCUSUM           Method = "cusum"
	MethodIsolationForest Method = "isolation_forest"
	MethodLSTMAutoencoder Method = "lstm_autoencoder"
	MethodOneClassSVM     Method = "one_class_svm"
	MethodPSI             Method = "psi"
	MethodKLDivergence    Method = "kl_divergence"
	MethodLLMCheck        Method = "llm_check"
	MethodRAG             Method = "rag"
)

var methods = []Method{
	MethodZScore, MethodIQR, MethodMAD, MethodCUSUM, MethodIsolationForest, MethodLSTMAutoencoder,
	MethodOneClassSVM, MethodPSI, MethodKLDivergence, MethodLLMCheck, MethodRAG,
}

// Custom reports whether m is none of the methods of the contract.
func (m Method) Custom() bool {
	for _, k := range methods {
		if k == m {
			return false
		}
	}
	return true
}
