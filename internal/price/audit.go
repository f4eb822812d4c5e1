package price

import (
	"math"
	"strings"
	"sync"
	"time"
)

// AuditOptions say what an Auditor finds worth telling. Zero values mean the defaults.
type AuditOptions struct {
	// Tolerance is the gap between the reported cost and ours that is not worth
	// telling, as a share of the larger one; default 0.05.
	Tolerance float64
	// MinUSD is the gap in USD up to which no call is worth telling; default 1e-6.
	MinUSD float64
	// Period is how long the same thing is not told again; default 24 hours.
	Period time.Duration
	// MaxModels bounds the (provider, model) pairs that are remembered; default 1000.
	MaxModels int
}

// DefaultAuditOptions returns the defaults.
func DefaultAuditOptions() AuditOptions {
	return AuditOptions{Tolerance: 0.05, MinUSD: 1e-6, Period: 24 * time.Hour, MaxModels: 1000}
}

// Audit is what an Auditor says about one call.
type Audit struct {
	// Unpriced says that the call has no price.
	Unpriced bool
	// Mismatch says that the reported cost differs from ours beyond the tolerance.
	Mismatch bool
	// Gap is (reported − ours) / max(reported, ours), from −1 to 1; 0 without both.
	Gap float64
	// First says that this was not told yet for the provider and model in this period.
	// It stays false when too many models are remembered already, see Forgotten.
	First bool
}

// Auditor compares the cost that applications report with ours. It is safe for
// concurrent use and reads no clock.
type Auditor struct {
	options AuditOptions

	mu        sync.Mutex
	told      map[auditKey]time.Time
	swept     time.Time
	forgotten int64
}

type auditKey struct {
	provider, model string
	mismatch        bool
}

// NewAuditor returns an Auditor that has told nothing yet.
func NewAuditor(o AuditOptions) *Auditor {
	d := DefaultAuditOptions()
	if o.Tolerance <= 0 {
		o.Tolerance = d.Tolerance
	}
	if o.MinUSD <= 0 {
		o.MinUSD = d.MinUSD
	}
	if o.Period <= 0 {
		o.Period = d.Period
	}
	if o.MaxModels <= 0 {
		o.MaxModels = d.MaxModels
	}
	return &Auditor{options: o, told: make(map[auditKey]time.Time)}
}

// Check judges a call of provider and model at time now. Reported is the cost in USD
// that the application named; zero, negative and not-a-number mean that it named none.
// Ours is the result of Book.Quote and err its error.
func (a *Auditor) Check(now time.Time, provider, model string, reported float64, ours Quote, err error) Audit {
	var out Audit
	switch {
	case err != nil:
		out.Unpriced = IsUnpriced(err)
	case reported > 0 && !math.IsInf(reported, 1):
		gap := reported - ours.USD
		out.Gap = gap / max(reported, ours.USD)
		out.Mismatch = math.Abs(gap) > a.options.MinUSD && math.Abs(out.Gap) > a.options.Tolerance
	}
	if out.Unpriced || out.Mismatch {
		out.First = a.first(now, auditKey{provider, model, out.Mismatch})
	}
	return out
}

// Forgotten is how often something new was not told because too many models are
// remembered.
func (a *Auditor) Forgotten() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.forgotten
}

func (a *Auditor) first(now time.Time, k auditKey) bool {
	k.provider, k.model = clip(k.provider), clip(k.model)
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, ok := a.told[k]; ok && now.Sub(at) < a.options.Period {
		return false
	}
	if _, ok := a.told[k]; !ok && len(a.told) >= 2*a.options.MaxModels {
		a.sweep(now)
		if len(a.told) >= 2*a.options.MaxModels {
			a.forgotten++
			return false
		}
	}
	k.provider, k.model = strings.Clone(k.provider), strings.Clone(k.model)
	a.told[k] = now
	return true
}

// sweep forgets what may be told again. It runs at most once in a hundredth of the
// period, so that a flood of names does not make every call slow.
func (a *Auditor) sweep(now time.Time) {
	if now.Sub(a.swept) < a.options.Period/100 && !a.swept.IsZero() {
		return
	}
	a.swept = now
	for k, at := range a.told {
		if now.Sub(at) >= a.options.Period {
			delete(a.told, k)
		}
	}
}
