package price

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAGapBeyondTheToleranceIsToldOncePerModelAndPeriod(t *testing.T) {
	a := NewAuditor(AuditOptions{Tolerance: 0.1, Period: time.Hour})
	ours := Quote{USD: 1}
	require.Equal(t, Audit{Mismatch: true, Gap: 0.5, First: true}, a.Check(testDay, "openai", "gpt-4o", 2, ours, nil))
	require.Equal(t, Audit{Mismatch: true, Gap: 0.5}, a.Check(testDay.Add(time.Minute), "openai", "gpt-4o", 2, ours, nil))
	require.Equal(t, Audit{Mismatch: true, Gap: -0.5, First: true}, a.Check(testDay, "openai", "other", 0.5, ours, nil))
	require.True(t, a.Check(testDay.Add(time.Hour), "openai", "gpt-4o", 2, ours, nil).First)

	small := a.Check(testDay, "openai", "third", 1.05, ours, nil)
	require.False(t, small.Mismatch)
	require.InDelta(t, 0.05/1.05, small.Gap, 1e-12)
	require.False(t, a.Check(testDay, "openai", "third", 1e-7, Quote{USD: 2e-7}, nil).Mismatch, "below the smallest amount")
	require.True(t, a.Check(testDay, "openai", "third", 0.01, Quote{}, nil).Mismatch, "a cost for what is free")
}

func TestAReportedZeroIsIgnored(t *testing.T) {
	a := NewAuditor(AuditOptions{})
	for _, none := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.Equal(t, Audit{}, a.Check(testDay, "p", "m", none, Quote{USD: 1}, nil), none)
	}
}

func TestAnUnpricedModelIsToldOnceAndApartFromAGap(t *testing.T) {
	a := NewAuditor(AuditOptions{})
	err := &UnpricedError{"p", "m", "unknown_model"}
	require.Equal(t, Audit{Unpriced: true, First: true}, a.Check(testDay, "p", "m", 0, Quote{}, err))
	require.Equal(t, Audit{Unpriced: true}, a.Check(testDay.Add(23*time.Hour), "p", "m", 5, Quote{}, err))
	require.True(t, a.Check(testDay, "p", "m", 5, Quote{USD: 1}, nil).First)
	require.True(t, a.Check(testDay.Add(24*time.Hour), "p", "m", 0, Quote{}, err).First)
	require.Equal(t, Audit{}, a.Check(testDay, "p", "x", 5, Quote{}, ErrUsage), "a bad usage is no finding about prices")
}

func TestTheNumberOfModelsThatAreRememberedIsBounded(t *testing.T) {
	a := NewAuditor(AuditOptions{MaxModels: 10, Period: time.Hour})
	var told int
	for i := range 1000 {
		if a.Check(testDay, "p", strconv.Itoa(i), 0, Quote{}, ErrUnpriced).First {
			told++
		}
	}
	require.Equal(t, 20, told, "ten models with two findings each")
	require.EqualValues(t, 980, a.Forgotten())
	require.Len(t, a.told, 20)
	require.True(t, a.Check(testDay.Add(time.Hour), "p", "new", 0, Quote{}, ErrUnpriced).First, "old entries made room")
	require.Len(t, a.told, 1)

	long := strings.Repeat("x", 10_000)
	require.True(t, a.Check(testDay.Add(time.Hour), "p", long, 0, Quote{}, ErrUnpriced).First)
	require.False(t, a.Check(testDay.Add(time.Hour), "p", long, 0, Quote{}, ErrUnpriced).First)
	for k := range a.told {
		require.LessOrEqual(t, len(k.model), maxName)
	}
}
