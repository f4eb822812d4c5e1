package embedded

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// crashDirEnv makes the test binary a writer that never ends by itself.
const crashDirEnv = "EMBEDDED_CRASH_TEST_DIR"

const crashBatch = 50

// writeUntilKilled prints the id of a batch after it was acknowledged. The ids
// of its events follow from it.
func writeUntilKilled(dir string) int {
	s, err := Open(context.Background(), Config{Directory: dir, SyncInterval: DefaultSyncInterval})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		id := uuid.New()
		if err := s.WriteEvents(context.Background(), crashEvents(id)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(id)
	}
}

func crashEvents(id uuid.UUID) []genai.Event {
	out := make([]genai.Event, crashBatch)
	for i := range out {
		// Spread over hours, so that tables are created while killing.
		at := time.Now().Add(-time.Duration(rand.IntN(24*3600)) * time.Second)
		e := genai.Event{ID: uuid.NewSHA1(id, []byte{byte(i)}), End: pcommon.NewTimestampFromTime(at), Service: id.String()[:2]}
		out[i] = e
	}
	return out
}

func TestAcknowledgedEventsSurviveSIGKILL(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []uuid.UUID
	for round := range 6 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		enough := 5 + rand.IntN(120)
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			id, err := uuid.Parse(lines.Text())
			if err != nil {
				break // cut off by the kill
			}
			acknowledged = append(acknowledged, id)
			if n == enough {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())
		require.Empty(t, stderr.String(), "round %d", round)
	}
	require.Greater(t, len(acknowledged), 30)

	s := openFor(t, dir, func(c *Config) { c.CheckBudget = time.Minute })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	found := map[uuid.UUID]bool{}
	for e, err := range s.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1 << 30}}) {
		require.NoError(t, err)
		require.False(t, found[e.ID])
		found[e.ID] = true
	}
	for _, id := range acknowledged {
		for i := range crashBatch {
			require.True(t, found[uuid.NewSHA1(id, []byte{byte(i)})], "event %d of acknowledged batch %s is lost", i, id)
		}
	}
	require.Zero(t, len(found)%crashBatch, "a batch is there in part")
	n, err := s.CountEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	require.EqualValues(t, len(found), n, "row counts of the catalogue")
	t.Logf("%d acknowledged batches of %d, %d events found", len(acknowledged), crashBatch, len(found))
}
