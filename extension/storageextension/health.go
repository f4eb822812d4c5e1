package storageextension

import (
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// health joins what several parts say about themselves into the status of the
// extension: a part that works must not hide another one that does not.
type health struct {
	host component.Host

	mu     sync.Mutex
	failed [numParts]error
}

// The parts that have a health.
const (
	partBackend = iota
	partBaselines
	numParts
)

// report takes the newest result of a part, nil for success.
func (h *health) report(part int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := errors.Join(h.failed[:]...)
	h.failed[part] = err
	now := errors.Join(h.failed[:]...)
	switch {
	case now != nil:
		componentstatus.ReportStatus(h.host, componentstatus.NewRecoverableErrorEvent(now))
	case before != nil:
		componentstatus.ReportStatus(h.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}
