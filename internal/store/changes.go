package store

import (
	"context"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// Versioned is implemented by backends that know what changed, so that answers
// may be kept until then.
type Versioned interface {
	// Version is a number that changes whenever an answer about the time range
	// (start inclusive, end exclusive; zero times are open) may have changed:
	// with each batch that is visible there, and with retention. It may change
	// without need. It is cheap, and read before an answer is computed it makes
	// that answer safe to keep under it. Numbers of two openings differ.
	Version(start, end time.Time) uint64
}

// Feed is implemented by a storage extension that tells of new anomalies.
type Feed interface {
	// Subscribe delivers the anomalies of each batch after it was kept, until
	// ctx ends; then the channel is closed. A subscriber that does not keep up
	// with buffer batches misses batches: the next value says how many
	// anomalies it missed.
	Subscribe(ctx context.Context, buffer int) <-chan FeedItem
}

// FeedItem is one batch of new anomalies. The slice is shared: read only.
type FeedItem struct {
	Anomalies []anomaly.Anomaly
	// Missed is the number of anomalies that were not delivered before these.
	Missed int64
}
