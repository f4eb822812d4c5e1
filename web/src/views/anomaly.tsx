import { useMemo } from 'preact/hooks';
import { AnomalyList, marksOf } from '../anomalies';
import { address, serverNow } from '../api';
import { Chart } from '../chart';
import { count, metricName, metricValue } from '../format';
import { useQuery } from '../query';
import { linkTo } from '../router';
import { bandAt } from '../series';
import type { ViewProps } from '../stats';
import type { Anomaly, AnomalyDetail } from '../types';
import { FeedbackPanel } from '../feedback';
import { Copy, Loaded, Name, Panel, SeverityBadge, Time } from '../ui';
import { detectorMeaning, detectorTitle, inOneLine, methodsOf, typeTitle } from '../words';
import { Waterfall } from '../waterfall';

/** One anomaly explained: what, against what, who says so, what to do. */
export function AnomalyView({ id }: ViewProps) {
  const detail = useQuery<AnomalyDetail>(address('api/v1/anomalies/' + encodeURIComponent(id)));
  return (
    <Loaded of={detail} height={400}>
      {(d) => (
        <>
          <Summary d={d} />
          <div class="detail">
            <div>
              <Panel title="Value against what is normal" note={<><Name>{d.anomaly.service_name}</Name> · <Name>{d.anomaly.model}</Name></>} actions={<a href={linkTo('latency', '', around(d.anomaly))}>Open the series</a>}>
                <Bar a={d.anomaly} />
                <Values d={d} />
              </Panel>
              {(d.spans?.length ?? 0) > 0 && (
                <Panel title="The trace" note={d.spans.length >= 200 ? 'the first 200 calls' : undefined} actions={d.anomaly.context.trace_id && <a href={linkTo('trace', d.anomaly.context.trace_id)}>Open the trace</a>}>
                  <Waterfall events={d.spans} marked={d.event?.event_id} />
                </Panel>
              )}
              <Panel title="Similar ones" note="same service, model and type within 7 days">
                {d.similar?.length ? <AnomalyList list={d.similar} label="Similar anomalies" /> : <p class="hint">None: this is the only one of its kind.</p>}
              </Panel>
              {d.related?.length > 0 && (
                <Panel title="Of the same cause">
                  <AnomalyList list={d.related} label="Related anomalies" />
                </Panel>
              )}
            </div>
            <div>
              <FeedbackPanel id={d.anomaly.alert_id} given={d.feedback ?? []} reload={detail.retry} />
              <Detectors a={d.anomaly} />
              <WhatToDo a={d.anomaly} />
              <Facts a={d.anomaly} />
            </div>
          </div>
        </>
      )}
    </Loaded>
  );
}

/** A link to the series with an hour around the anomaly. */
function around(a: Anomaly): Record<string, string | null> {
  const t = Date.parse(a.timestamp);
  return {
    service: a.service_name || null, model: a.model || null, range: null, metric: a.details.metric === 'ttft_ms' ? 'ttft_ms' : null,
    start: new Date(t - 1_800_000).toISOString(), end: new Date(t + 1_800_000).toISOString(),
  };
}

function Summary({ d }: { d: AnomalyDetail }) {
  const a = d.anomaly;
  return (
    <section class={`summary sev-edge-${a.severity}`} aria-label="Summary">
      <SeverityBadge severity={a.severity} />
      <div>
        <p class="headline">{typeTitle(a.anomaly_type)}: {inOneLine(a)}</p>
        <p class="sub">
          <a href={linkTo('latency', '', around(a))}><b>{a.service_name || 'unknown service'}</b> · <b>{a.model || 'unknown model'}</b></a>, <Time t={a.timestamp} /> (<Time t={a.timestamp} relative />)
          {typeof a.confidence === 'number' && <>, confidence {Math.round(a.confidence * 100)}%</>}
        </p>
      </div>
    </section>
  );
}

/** Expected, limit and value on one line from zero. */
function Bar({ a }: { a: Anomaly }) {
  const { metric, value, baseline, threshold } = a.details;
  if (typeof value !== 'number' || typeof baseline !== 'number' || value < 0 || baseline < 0) return null;
  const limit = typeof threshold === 'number' && threshold >= 0 ? threshold : null;
  const high = Math.max(value, baseline, limit ?? 0);
  if (high <= 0) return null;
  const at = (v: number) => `${((v / high) * 100).toFixed(2)}%`;
  const show = (v: number) => metricValue(metric, v);
  return (
    <div class="bars" role="img" aria-label={`${metricName(metric)}: ${show(value)}; expected ${show(baseline)}${limit === null ? '' : `; limit ${show(limit)}`}`}>
      {[{ name: 'measured', v: value, c: `sev-fill-${a.severity}` }, { name: 'expected', v: baseline, c: 'fill-expected' }].map((b) => (
        <div class="bar" key={b.name}>
          <span class="bar-name">{b.name}</span>
          <span class="bar-track">
            <span class={`bar-fill ${b.c}`} style={{ width: at(b.v) }} />
            {limit !== null && <span class="bar-limit" style={{ left: at(limit) }} title={`limit ${show(limit)}`} />}
          </span>
          <b class="bar-value">{show(b.v)}</b>
        </div>
      ))}
      {limit !== null && <p class="hint"><span class="limit-key" /> limit {show(limit)}</p>}
    </div>
  );
}

const half = 3_600_000;

/** The calls around it, with the band that they were judged by. */
function Values({ d }: { d: AnomalyDetail }) {
  const a = d.anomaly;
  const metric = a.details.metric;
  const t = Date.parse(a.timestamp);
  const view = useMemo(() => {
    const points = [...(d.values ?? [])].map((v) => ({ t: Date.parse(v.time) / 1000, v: v.value })).sort((x, y) => x.t - y.t);
    // A chart needs ascending times; the band also reaches where no calls are.
    const baseline = d.baseline ?? [];
    const times = [...new Set([...points.map((p) => p.t), ...baseline.map((b) => Date.parse(b.time) / 1000)])].sort((x, y) => x - y);
    const at = new Map(points.map((p) => [p.t, p.v]));
    const values = times.map((x) => at.get(x) ?? null);
    let band = baseline.length ? bandAt(baseline, times) : undefined;
    const lo = a.details.additional?.lower_limit;
    const hi = a.details.additional?.upper_limit;
    if (!band && typeof lo === 'number' && typeof hi === 'number' && typeof a.details.baseline === 'number') {
      band = { expected: times.map(() => a.details.baseline!), lower: times.map(() => lo), upper: times.map(() => hi) };
    }
    return {
      count: points.length, times, band: band && { label: 'normal for one call', lower: band.lower, upper: band.upper },
      lines: [{ label: metricName(metric), color: '--p50', dots: true, values }, ...(band ? [{ label: 'expected', color: '--expected', dash: [5, 4], values: band.expected }] : [])],
    };
  }, [d, metric]);
  const marks = useMemo(() => marksOf([a, ...(d.similar ?? []).filter((s) => Math.abs(Date.parse(s.timestamp) - t) < half && s.alert_id !== a.alert_id)], metric), [d, metric]);
  if (view.count === 0) return null;
  const from = Math.max(t - half, view.times[0] * 1000 - 60_000);
  const to = Math.min(t + half, serverNow() + 60_000, Math.max(view.times[view.times.length - 1] * 1000, t) + 60_000);
  return (
    <Chart
      label={`${metricName(metric)} of ${view.count} calls around the anomaly${view.band ? ', with the normal band' : ''}`} time={view.times} lines={view.lines} band={view.band} marks={marks}
      format={(v) => metricValue(metric, v)} from={from} to={to} height={240} log={metric.endsWith('_ms')}
      onMark={(m) => m.id !== a.alert_id && (location.hash = linkTo('anomaly', m.id))}
    />
  );
}

function Detectors({ a }: { a: Anomaly }) {
  const methods = methodsOf(a);
  return (
    <Panel title={methods.length === 1 ? 'One detector' : `${methods.length} detectors agree`}>
      <ul class="detectors">
        {methods.map((m) => (
          <li key={m}>
            <b>{detectorTitle(m)}</b> <code>{m}</code>
            {detectorMeaning(m) && <p>{detectorMeaning(m)}</p>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function WhatToDo({ a }: { a: Anomaly }) {
  // Only the web: a link from telemetry must not run anything.
  const runbook = /^https?:\/\//i.test(a.runbook_url ?? '') ? a.runbook_url! : '';
  if (!a.root_cause && !a.remediation?.length && !runbook) return null;
  return (
    <Panel title="What is known, what to do">
      {a.remediation?.length > 0 && <ul class="remedies">{a.remediation.map((r) => <li key={r}>{r}</li>)}</ul>}
      {runbook && <p><a href={runbook} rel="noreferrer noopener" target="_blank">Runbook</a></p>}
      {a.root_cause && <ul class="causes">{a.root_cause.split('; ').map((c) => <li key={c}>{c}</li>)}</ul>}
    </Panel>
  );
}

function Facts({ a }: { a: Anomaly }) {
  const { details: d, context: c } = a;
  const rows: [string, string][] = [
    ['metric', d.metric],
    ['distance', typeof d.deviation_sigma === 'number' ? `${d.deviation_sigma.toFixed(1)} robust standard deviations` : ''],
    ['rests on', c.sample_count ? `${count(c.sample_count)} samples` : ''],
    ['reference', c.time_window],
    ['user', c.user_id ?? ''],
    ['region', c.region ?? ''],
    ['trace', c.trace_id ?? ''],
    ...Object.entries(c.additional ?? {}),
    ...Object.entries(d.additional ?? {}).filter(([k]) => k !== 'detection_methods').map(([k, v]): [string, string] => [k, typeof v === 'number' ? String(Number(v.toPrecision(6))) : JSON.stringify(v)]),
  ];
  return (
    <Panel title="Facts" actions={<Copy text={JSON.stringify(a, null, 2)} label="Copy as JSON" />}>
      <dl class="facts">
        {rows.filter(([, v]) => v).map(([k, v]) => (
          <div key={k}>
            <dt>{k}</dt>
            <dd>{v}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
