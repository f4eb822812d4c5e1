import { useMemo, useState } from 'preact/hooks';
import { count, millis, usd } from './format';
import type { Event } from './types';
import { arrowKeys, Time } from './ui';

interface Row {
  event: Event;
  start: number;
  end: number;
  depth: number;
}

const maxDepth = 12;

/** The calls in the order of their starts, each below the call that made it. */
export function rowsOf(events: Event[]): Row[] {
  const bySpan = new Map(events.filter((e) => e.span_id).map((e) => [e.span_id!, e]));
  const depth = (e: Event): number => {
    let n = 0;
    let at: Event | undefined = e;
    // Bounded: parents that point in a circle are possible in bad telemetry.
    while (n < maxDepth && (at = bySpan.get(at.metadata.parent_span_id ?? '')) && at !== e) n++;
    return n;
  };
  return events
    .map((event) => {
      const end = Date.parse(event.timestamp);
      return { event, end, start: end - (event.latency_ms ?? 0), depth: depth(event) };
    })
    .sort((a, b) => a.start - b.start || b.end - a.end);
}

/** The calls of a trace on a common time line. */
export function Waterfall({ events, marked }: { events: Event[]; marked?: string }) {
  const rows = useMemo(() => rowsOf(events), [events]);
  const [open, setOpen] = useState<string | null>(null);
  const from = Math.min(...rows.map((r) => r.start));
  const to = Math.max(...rows.map((r) => r.end), from + 1);
  const at = (t: number) => `${(((t - from) / (to - from)) * 100).toFixed(2)}%`;
  return (
    <div class="waterfall">
      <div class="scale" aria-hidden="true">
        <span>0</span>
        <span>{millis((to - from) / 2)}</span>
        <span>{millis(to - from)}</span>
      </div>
      <ul onKeyDown={arrowKeys} aria-label="Calls of the trace">
        {rows.map(({ event: e, start, end, depth }) => {
          const failed = e.errors.length > 0;
          const isOpen = open === e.event_id;
          return (
            <li key={e.event_id} class={e.event_id === marked ? 'marked' : undefined}>
              <button type="button" data-row class="span" aria-expanded={isOpen} onClick={() => setOpen(isOpen ? null : e.event_id)}>
                <span class="span-name" style={{ paddingLeft: `${depth * 12}px` }} title={`${e.service_name} · ${e.model}`}>
                  {failed && <b class="failed-mark" title="failed">✕ </b>}
                  {e.operation || 'call'} <span class="muted">{e.model || e.service_name}</span>
                  {e.event_id === marked && <span class="hidden"> (the anomalous call)</span>}
                </span>
                <span class="span-track">
                  <span class={'span-bar' + (failed ? ' failed' : '') + (e.event_id === marked ? ' anomalous' : '')} style={{ left: at(start), width: `max(3px, ${(((end - start) / (to - from)) * 100).toFixed(2)}%)` }} />
                </span>
                <span class="span-time">{millis(e.latency_ms)}</span>
              </button>
              {isOpen && <SpanFacts e={e} />}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function SpanFacts({ e }: { e: Event }) {
  const rows: [string, string][] = [
    ['service', e.service_name],
    ['model', e.model],
    ['provider', e.provider],
    ['input tokens', count(e.prompt.tokens)],
    ['output tokens', count(e.response.tokens)],
    ['finish reason', e.response.finish_reason],
    ['cost', usd(e.cost_usd)],
    ['time to first token', millis(e.ttft_ms)],
    ['span', e.span_id ?? ''],
    ...Object.entries(e.metadata).slice(0, 40),
  ];
  return (
    <div class="span-facts">
      {e.errors.map((text) => <p class="failed-text" key={text}>{text}</p>)}
      <p class="muted">ended <Time t={e.timestamp} /></p>
      <dl class="facts">
        {rows.filter(([, v]) => v && v !== '–').map(([k, v]) => (
          <div key={k}>
            <dt>{k}</dt>
            <dd>{v}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
