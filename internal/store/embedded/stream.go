package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Results are read ahead into memory up to these limits, so that a query of
// usual size gives its connection back before a slow caller consumes it.
const (
	readAheadRows  = 1000
	readAheadBytes = 4 << 20
)

// errStop says that the caller has left the iteration.
var errStop = errors.New("stop")

func checkLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("%w: limit must be at least 1, got %d", store.ErrInvalid, limit)
	}
	return nil
}

// stream yields what produce emits in one snapshot of the database. Size is the
// number of bytes that a value holds beside its fixed part. When bad is not nil
// it is all that is yielded.
func stream[T any](ctx context.Context, s *Store, what string, bad error,
	produce func(conn *sqlite.Conn, emit func(v T, size int) error) error,
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if bad != nil {
			yield(zero, bad)
			return
		}
		var ahead []T
		flush := func() error {
			for i := range ahead {
				if !yield(ahead[i], nil) {
					return errStop
				}
			}
			clear(ahead)
			ahead = ahead[:0]
			return nil
		}
		size := 0
		err := s.snapshot(ctx, func(conn *sqlite.Conn) error {
			return produce(conn, func(v T, n int) error {
				ahead = append(ahead, v)
				size += n
				if len(ahead) < readAheadRows && size < readAheadBytes {
					return nil
				}
				size = 0
				return flush()
			})
		})
		if err == nil {
			err = flush()
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(zero, s.explain(ctx, what, err))
		}
	}
}
