package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnomalyJSONCarriesTheSuppressed(t *testing.T) {
	a := anomaly.Anomaly{
		ID: anomaly.NewID("s", "m", "x", anomaly.TypeLatencySpike, time.Unix(1, 0), ""), Time: time.Unix(1, 0).UTC(),
		Severity: anomaly.SeverityLow, Type: anomaly.TypeLatencySpike, Method: anomaly.MethodMAD,
		Context: anomaly.Context{Additional: map[string]string{"operation": "chat"}},
	}
	for suppressed, want := range map[uint64]map[string]string{
		0:  {"operation": "chat"},
		12: {"operation": "chat", SuppressedKey: "12"},
	} {
		raw, err := Notification{Anomaly: a, Suppressed: suppressed}.AnomalyJSON(10_000)
		require.NoError(t, err)
		var got anomaly.Anomaly
		require.NoError(t, json.Unmarshal(raw, &got))
		assert.Equal(t, want, got.Context.Additional)
	}
	assert.Len(t, a.Context.Additional, 1, "the caller's map was changed")
}

func TestClassifyFindsTheFailureInside(t *testing.T) {
	cause := errors.New("no")
	for _, tc := range []struct {
		err  error
		want Error
	}{
		{Permanent(ReasonRejected, cause), Error{Reason: ReasonRejected, Permanent: true, Err: cause}},
		{fmt.Errorf("while: %w", Retryable(ReasonUnconfirmed, cause)), Error{Reason: ReasonUnconfirmed, Err: cause}},
		{cause, Error{Reason: ReasonUnavailable, Err: cause}},
	} {
		got := Classify(tc.err)
		assert.Equal(t, tc.want, *got)
		assert.ErrorIs(t, got, cause)
	}
	assert.EqualError(t, Permanent(ReasonRejected, cause), "rejected: no")
}

func TestAnomalyJSONKeepsItsLimit(t *testing.T) {
	a := anomaly.Anomaly{
		Severity: anomaly.SeverityLow, Type: anomaly.TypeLatencySpike, Method: anomaly.MethodMAD, RootCause: strings.Repeat("\x01", 50_000),
	}
	for _, limit := range []int{400_000, 100_000, 5_000} {
		raw, err := Notification{Anomaly: a}.AnomalyJSON(limit)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(raw), limit)
		var got anomaly.Anomaly
		require.NoError(t, json.Unmarshal(raw, &got))
		assert.Equal(t, limit < 400_000, got.Context.Additional[TruncatedKey] == "true", limit)
	}
	_, err := Notification{Anomaly: a}.AnomalyJSON(100)
	assert.ErrorContains(t, err, "after shortening, allowed are 100")
}

func TestCutTextKeepsCharactersWhole(t *testing.T) {
	for _, tc := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 10, "short"},
		{"exactly-10", 10, "exactly-10"},
		{"longer than ten", 10, "longer ..."},
		{"ééééééé", 8, "éé..."},
		{"\xff\xff\xff\xff\xff", 4, "\xff..."},
	} {
		assert.Equal(t, tc.want, CutText(tc.in, tc.limit))
	}
}

func TestAnEndHasAnIdAndATypeOfItsOwn(t *testing.T) {
	id := anomaly.NewID("s", "m", "x", anomaly.TypeLatencySpike, time.Unix(1, 0), "")
	end := anomaly.Resolution{
		IDs: []uuid.UUID{id}, Service: strings.Repeat("<", 3000), Model: "m", Type: anomaly.TypeLatencySpike, Metric: "latency_ms",
		Onset: time.Unix(1, 0), End: time.Unix(61, 0), Reason: anomaly.EndRebased, Baseline: 9600, Summary: "the new normal",
	}
	n := Notification{Anomaly: anomaly.Anomaly{ID: id}, End: &end}
	assert.Equal(t, "anomaly.resolved", n.Type())
	assert.NotEqual(t, id.String(), n.ID())
	assert.Equal(t, "anomaly.detected", Notification{}.Type())
	for _, limit := range []int{100_000, 10_000, 2000} {
		raw, err := n.DataJSON(limit)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(raw), limit)
		var got map[string]any
		require.NoError(t, json.Unmarshal(raw, &got))
		assert.Equal(t, id.String(), got["alert_id"])
		assert.InDelta(t, 9600, got["baseline"], 1e-9)
	}
	assert.Len(t, end.Service, 3000, "the caller's is not changed")
}
