package store

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Dimension is a property of events by which figures can be grouped.
type Dimension string

// The dimensions.
const (
	ByService     Dimension = "service"
	ByModel       Dimension = "model"
	ByProvider    Dimension = "provider"
	ByOperation   Dimension = "operation"
	ByEnvironment Dimension = "environment"
	ByTenant      Dimension = "tenant"
)

// Dimensions are all dimensions, in the order of the fields of [Group].
var Dimensions = []Dimension{ByService, ByModel, ByProvider, ByOperation, ByEnvironment, ByTenant}

// MaxGroups bounds the rows of one aggregation.
const MaxGroups = 100_000

// AggregateQuery asks for figures over groups of events.
type AggregateQuery struct {
	EventFilter
	// Service and Model match exactly; empty matches all.
	Service string
	Model   string
	// Start is inclusive, End exclusive; both must be set.
	Start time.Time
	End   time.Time
	// Step is the width of a time bucket: 0 for one bucket over the whole range,
	// else a multiple of a minute. Buckets are aligned to 1970-01-01T00:00Z; the
	// first and the last one count only what lies in the range.
	Step time.Duration
	// By are the dimensions to group by, each at most once; none gives one group.
	By []Dimension
}

// Group is the value of each dimension that was asked for; the others are empty.
type Group struct {
	Service     string
	Model       string
	Provider    string
	Operation   string
	Environment string
	Tenant      string
}

// GroupOf is the group of an event by the dimensions.
func GroupOf(e *genai.Event, by []Dimension) (g Group) {
	for _, d := range by {
		switch d {
		case ByService:
			g.Service = e.Service
		case ByModel:
			g.Model = e.Model()
		case ByProvider:
			g.Provider = e.Provider
		case ByOperation:
			g.Operation = e.Operation
		case ByEnvironment:
			g.Environment = e.Environment
		case ByTenant:
			g.Tenant = e.Tenant
		}
	}
	return g
}

// Compare orders groups by their fields, one after the other.
func (g Group) Compare(h Group) int {
	return cmp.Or(
		cmp.Compare(g.Service, h.Service), cmp.Compare(g.Model, h.Model), cmp.Compare(g.Provider, h.Provider),
		cmp.Compare(g.Operation, h.Operation), cmp.Compare(g.Environment, h.Environment), cmp.Compare(g.Tenant, h.Tenant))
}

// Distribution describes the known values of one measure. A percentile p is the
// smallest value that at least p of the values do not exceed (nearest rank);
// see Capabilities.PercentileError. Without values all is zero.
type Distribution struct {
	Count         int64
	Sum           float64
	Min, Max      float64
	P50, P95, P99 float64
}

// Aggregate are the figures of one group in one time bucket.
type Aggregate struct {
	// Start of the bucket, before the start of the range for a first bucket that
	// the range cuts; that of the range when Step is 0.
	Start time.Time
	Group Group

	Calls int64
	// Failed is the number of calls that ended with an error.
	Failed int64
	// Sums of what is known.
	InputTokens      int64
	OutputTokens     int64
	TotalTokens      int64
	CacheReadTokens  int64
	CacheWriteTokens int64
	ReasoningTokens  int64
	CostUSD          float64
	// Priced is the number of calls whose cost is known.
	Priced int64
	// Latency and TTFT are in milliseconds.
	Latency Distribution
	TTFT    Distribution
}

// Aggregator is implemented by backends whose Capabilities say Aggregate.
type Aggregator interface {
	// Aggregate yields buckets in order of time and, within one, of the group's
	// fields. Buckets and groups without events are left out. It ends with
	// ErrTooMany when there are more than MaxGroups rows.
	Aggregate(ctx context.Context, q AggregateQuery) iter.Seq2[Aggregate, error]
}
