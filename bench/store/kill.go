package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/embedded"
)

const (
	// childEnv makes this program a writer that never ends by itself.
	childEnv  = "BENCH_STORE_KILL_DIR"
	killBatch = 200
)

// writeUntilKilled prints the id of each batch after it was acknowledged. Those
// of its events follow from it.
func writeUntilKilled(dir string, out io.Writer) error {
	ctx := context.Background()
	s, err := embedded.Open(ctx, embedded.Config{Directory: dir, SyncInterval: embedded.DefaultSyncInterval})
	if err != nil {
		return err
	}
	for {
		id := uuid.New()
		if err := s.WriteEvents(ctx, killedEvents(id)); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, id); err != nil {
			return err
		}
	}
}

// killedEvents are spread over a day, so that tables are made while killing.
func killedEvents(batch uuid.UUID) []genai.Event {
	out := make([]genai.Event, killBatch)
	for i := range out {
		at := time.Now().Add(-time.Duration(rand.IntN(24*3600)) * time.Second) //nolint:gosec // nothing is protected by it
		out[i] = genai.Event{
			ID: killedID(batch, i), End: pcommon.NewTimestampFromTime(at), Service: "service-" + batch.String()[:1], User: batch.String(),
			TraceID: pcommon.TraceID(killedID(batch, -1-i/4)), Conversation: batch.String()[:4],
		}
	}
	return out
}

func killedID(batch uuid.UUID, i int) uuid.UUID { return uuid.NewSHA1(batch, fmt.Append(nil, i)) }

// kill ends a writing process by SIGKILL at random times and looks for what it
// had acknowledged: each event by its id, and all of them by reading.
func (b *bench) kill(ctx context.Context) error {
	if b.o.kills == 0 {
		return nil
	}
	dir := filepath.Join(b.dir, "kill")
	var acknowledged []uuid.UUID
	for i := range b.o.kills {
		b.tell.at("killing", i, b.o.kills)
		got, err := killOne(ctx, dir)
		if err != nil {
			return err
		}
		acknowledged = append(acknowledged, got...)
	}
	s, err := embedded.Open(ctx, embedded.Config{Directory: dir, SyncInterval: embedded.DefaultSyncInterval, CheckBudget: time.Minute})
	if err != nil {
		return err
	}
	lost, torn, err := missing(ctx, s, acknowledged)
	b.report.add("lost_events", float64(lost), "events")
	b.report.add("torn_batches", float64(torn), "batches")
	b.report.add("acknowledged_events", float64(len(acknowledged)*killBatch), "events")
	b.report.add("kills", float64(b.o.kills), "kills")
	return errors.Join(err, s.Close(ctx))
}

// missing counts acknowledged events that are not there, or not found by id,
// and whether a batch is there in part.
func missing(ctx context.Context, s *embedded.Store, acknowledged []uuid.UUID) (lost, torn int, err error) {
	found := map[uuid.UUID]bool{}
	for e, err := range s.Events(ctx, store.EventQuery{Query: store.Query{Limit: 1 << 30}}) {
		if err != nil {
			return 0, 0, err
		}
		found[e.ID] = true
	}
	if len(found)%killBatch != 0 {
		torn = 1
	}
	for n, batch := range acknowledged {
		for i := range killBatch {
			id := killedID(batch, i)
			if !found[id] {
				lost++
				continue
			}
			if i > 0 && n%50 > 0 {
				continue // a sample by id
			}
			if rows, err := drain(s.Events(ctx, store.EventQuery{Query: store.Query{Limit: 2}, ID: id})); err != nil {
				return 0, 0, err
			} else if rows != 1 {
				lost++
			}
		}
	}
	return lost, torn, nil
}

func killOne(ctx context.Context, dir string) (acknowledged []uuid.UUID, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	enough := time.Duration(50+rand.IntN(400)) * time.Millisecond //nolint:gosec // nothing is protected by it
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		id, err := uuid.Parse(lines.Text())
		if err != nil {
			break // cut off by the kill
		}
		acknowledged = append(acknowledged, id)
		if timer == nil {
			timer = time.AfterFunc(enough, func() { _ = cmd.Process.Kill() })
		}
	}
	if timer != nil {
		timer.Stop()
	}
	if cmd.Wait() == nil || len(acknowledged) == 0 {
		return nil, errors.New("the writing process ended by itself")
	}
	return acknowledged, nil
}
