package alertexporter

import (
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
)

// healthBoard reports the state of the worst target as the status of the
// component, since a component has only one.
type healthBoard struct {
	// host is set by Start before any target reports.
	host component.Host

	mu        sync.Mutex
	names     []string
	errs      map[string]error
	permanent bool
}

func newHealthBoard() *healthBoard {
	return &healthBoard{errs: map[string]error{}}
}

// target returns the function with which the named target reports.
func (b *healthBoard) target(name string) notify.Health {
	b.names = append(b.names, name)
	return func(err error, permanent bool) { b.report(name, err, permanent) }
}

func (b *healthBoard) report(name string, err error, permanent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.worst()
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	b.errs[name] = err
	after := b.worst()
	switch {
	case b.permanent:
		// A permanent error ends the life of a status; nothing may follow it.
	case permanent:
		b.permanent = true
		b.send(componentstatus.NewPermanentErrorEvent(err))
	case after == nil && before != nil:
		b.send(componentstatus.NewEvent(componentstatus.StatusOK))
	case after != nil && (before == nil || before.Error() != after.Error()):
		b.send(componentstatus.NewRecoverableErrorEvent(after))
	}
}

// up reports whether the named target works; known is false before its first
// report.
func (b *healthBoard) up(name string) (up, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err, known := b.errs[name]
	return err == nil, known
}

// worst is the error of the first target that has one. It needs mu.
func (b *healthBoard) worst() error {
	for _, n := range b.names {
		if err := b.errs[n]; err != nil {
			return err
		}
	}
	return nil
}

func (b *healthBoard) send(ev *componentstatus.Event) {
	if b.host != nil {
		componentstatus.ReportStatus(b.host, ev)
	}
}
