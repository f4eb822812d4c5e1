package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

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
		raw, err := Notification{Anomaly: a, Suppressed: suppressed}.AnomalyJSON()
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
