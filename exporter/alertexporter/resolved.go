package alertexporter

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// maxOpenAlerts is the number of alerts of a target whose end is waited for;
// the oldest is forgotten first, and its end not told.
const maxOpenAlerts = 10_000

// errStillSending keeps an end back while an attempt runs for it, and until its
// alert is delivered or given up.
var errStillSending = errors.New("the alert that has ended is not delivered yet, or its end is being told")

// openAlerts remembers the alerts of one target that are queued or delivered
// and have not ended. A nil one remembers nothing: ends are not told.
type openAlerts struct {
	mu    sync.Mutex
	byID  map[uuid.UUID]*list.Element
	order *list.List // of openAlert, oldest first
}

type openAlert struct {
	id        uuid.UUID
	severity  anomaly.Severity
	delivered bool
	// ending is true while an attempt to tell the end runs.
	ending bool
}

func newOpenAlerts(sendResolved bool) *openAlerts {
	if !sendResolved {
		return nil
	}
	return &openAlerts{byID: map[uuid.UUID]*list.Element{}, order: list.New()}
}

// queued takes note of an alert that is going to be sent.
func (o *openAlerts) queued(a *anomaly.Anomaly) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID[a.ID] != nil {
		return
	}
	o.byID[a.ID] = o.order.PushBack(&openAlert{id: a.ID, severity: a.Severity})
	if o.order.Len() > maxOpenAlerts {
		oldest := o.order.Front()
		delete(o.byID, o.order.Remove(oldest).(*openAlert).id)
	}
}

// delivered takes note that the target has the alert.
func (o *openAlerts) delivered(id uuid.UUID) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if el := o.byID[id]; el != nil {
		el.Value.(*openAlert).delivered = true
	}
}

// givenUp forgets an alert that the target will not get.
func (o *openAlerts) givenUp(id uuid.UUID) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if el := o.byID[id]; el != nil && !el.Value.(*openAlert).delivered {
		o.order.Remove(el)
		delete(o.byID, id)
	}
}

// known reports whether an alert of an end is remembered.
func (o *openAlerts) known(ids []uuid.UUID) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		if o.byID[id] != nil {
			return true
		}
	}
	return false
}

// claim asks for the right to tell the end of alerts; done must be called when
// severity, the highest that was delivered, is not 0. wait is true when the end
// cannot be told yet. When neither is set there is nothing to tell.
func (o *openAlerts) claim(ids []uuid.UUID) (severity anomaly.Severity, wait bool) {
	if o == nil {
		return 0, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []*openAlert
	for _, id := range ids {
		el := o.byID[id]
		if el == nil {
			continue
		}
		a := el.Value.(*openAlert)
		if a.ending {
			return 0, true
		}
		found = append(found, a)
		if a.delivered {
			severity = max(severity, a.severity)
		}
	}
	if severity == 0 {
		return 0, len(found) > 0
	}
	for _, a := range found {
		a.ending = true
	}
	return severity, false
}

// done forgets alerts whose end was told or refused for good; otherwise another
// attempt may claim them.
func (o *openAlerts) done(ids []uuid.UUID, settled bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		el := o.byID[id]
		if el == nil {
			continue
		}
		el.Value.(*openAlert).ending = false
		if settled {
			o.order.Remove(el)
			delete(o.byID, id)
		}
	}
}

// extractEnds calls found for each end of an anomaly in td, and bad for each
// that cannot be decoded.
func extractEnds(td ptrace.Traces, found func(anomaly.Resolution), bad func(error)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				for r, err := range anomaly.ResolvedFromSpan(span) {
					if err != nil {
						bad(err)
						continue
					}
					found(r)
				}
			}
		}
	}
}

// packEnd puts an end into traces of its own, as pack does with an anomaly.
func packEnd(r anomaly.Resolution) ptrace.Traces {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName(anomaly.ResolvedEventName)
	anomaly.MarkResolved(span, []anomaly.Resolution{r})
	return td
}

// packedEnd returns the end that a queued notification holds, if it does.
func packedEnd(td ptrace.Traces) (r anomaly.Resolution, ok bool, err error) {
	extractEnds(td,
		func(found anomaly.Resolution) { r, ok = found, true },
		func(bad error) { err = fmt.Errorf("decode queued notification: %w", bad) })
	return r, ok, err
}

// offerEnd queues the end of an alert that the target got, or will get.
func (d *delivery) offerEnd(ctx context.Context, r anomaly.Resolution) error {
	if !d.open.known(r.IDs) {
		return nil
	}
	err := d.inner.ConsumeTraces(ctx, packEnd(r))
	if err != nil && d.queued {
		d.countFailure(ctx, reasonQueue)
	}
	return err
}

// pushEnd makes one attempt to tell the end of an alert. An end whose alert the
// target never got is not told.
func (d *delivery) pushEnd(ctx context.Context, r anomaly.Resolution) error {
	severity, wait := d.open.claim(r.IDs)
	switch {
	case wait:
		return errStillSending
	case severity == 0:
		return nil
	}
	n := notify.Notification{
		Anomaly: anomaly.Anomaly{ID: r.IDs[0], Time: r.End, Severity: severity, Type: r.Type, Service: r.Service, Model: r.Model},
		End:     &r,
	}
	err := d.settle(ctx, &n.Anomaly, d.target.Notify(ctx, n))
	d.open.done(r.IDs, err == nil || consumererror.IsPermanent(err))
	return err
}

// settle counts an attempt and puts its outcome into the terms of the exporter
// helper.
func (d *delivery) settle(ctx context.Context, a *anomaly.Anomaly, err error) error {
	if err == nil {
		d.tb.AlertsSentTotal.Add(ctx, 1, d.attrs)
		d.spec.count(ctx, d.tb, d.id, a.Severity, nil)
		return nil
	}
	failure := notify.Classify(err)
	d.countFailure(ctx, string(failure.Reason))
	d.spec.count(ctx, d.tb, d.id, a.Severity, failure)
	return outcome(failure)
}
