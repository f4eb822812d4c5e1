import { useEffect, useMemo, useState } from 'preact/hooks';
import { AnomalyList, worstFirst } from '../anomalies';
import { address, ApiError } from '../api';
import { Chart } from '../chart';
import { count, millis, percent, plural, usd } from '../format';
import { Matrix, type Heat, heats } from '../matrix';
import { useQuery } from '../query';
import { presets, stepFor } from '../range';
import { linkTo, setParams } from '../router';
import { PercentileChart, zoom } from '../series';
import { Spark } from '../spark';
import { align, anomaliesOf, bucketTimes, percentile, pick, statsOf, statsOverTime, type ViewProps } from '../stats';
import type { Anomaly, Overview, Stat } from '../types';
import { Failure, Loaded, Panel, Segmented, SeverityIcon, Time } from '../ui';
import { countsInWords, inOneLine, typeTitle } from '../words';
import { HowToSend } from './start';

const maxOverviewHours = 168;
const shownAtFirst = 8;

/** What is wrong now, and how everything runs. */
export function OverviewView(p: ViewProps) {
  const hours = Math.min(maxOverviewHours, p.range.preset ? presets[p.range.preset].hours : Math.ceil((p.range.to - p.range.from) / 3_600_000));
  const overview = useQuery<Overview>(address('api/v1/overview', { hours }), 15);
  const [heat, setHeat] = useState<Heat>('anomalies');
  const [all, setAll] = useState(false);
  const o = overview.data;
  useEffect(() => {
    // For the browser test: the first answer is on the screen.
    if (o) performance.mark('sentinel:answered');
  }, [o === undefined]);
  const active = useMemo(
    () => worstFirst((o?.active ?? []).filter((a) => (!p.filter.service || a.service_name === p.filter.service) && (!p.filter.model || a.model === p.filter.model))),
    [o, p.filter],
  );
  if (o?.empty) return <HowToSend />;
  if (!o && overview.error instanceof ApiError && overview.error.unsupported) return <Limited {...p} error={overview.error} />;
  // One failure is told once, not by each panel.
  if (!o && overview.error) return <Failure error={overview.error} retry={overview.retry} />;
  return (
    <>
      <Status overview={o} active={active} error={overview.error} filtered={!!(p.filter.service || p.filter.model)} />
      <Tiles {...p} />
      <div class="two">
        <Panel
          title="Wrong now" note={o ? plural(active.length, 'open problem') : undefined}
          actions={<a href={linkTo('anomalies')}>All anomalies</a>}
        >
          <Loaded of={overview} height={200} empty={() => active.length === 0 && <Quiet overview={o} preset={p.range.preset} />}>
            {() => (
              <>
                <AnomalyList list={all ? active : active.slice(0, shownAtFirst)} label="Open problems, worst first" relative />
                {active.length > shownAtFirst && (
                  <button type="button" class="more" onClick={() => setAll(!all)} aria-expanded={all}>
                    {all ? 'Show fewer' : `Show ${active.length - shownAtFirst} more`}
                  </button>
                )}
              </>
            )}
          </Loaded>
        </Panel>
        <Panel title="Services × models" actions={<Segmented label="Colour by" value={heat} choices={heats} onChange={(v) => setHeat(v as Heat)} />}>
          <Matrix {...p} heat={heat} services={8} models={5} fit />
        </Panel>
        <Worst {...p} active={active} />
        <ErrorPanel {...p} />
      </div>
    </>
  );
}

/** Latency of the series with the gravest problem of latency, else of all calls. */
function Worst({ range, filter, active }: ViewProps & { active: Anomaly[] }) {
  const slow = active.find((a) => a.service_name && a.model && (a.details.metric === 'latency_ms' || a.details.metric === 'ttft_ms'));
  const service = slow?.service_name ?? filter.service;
  const model = slow?.model ?? filter.model;
  const one = useMemo(() => ({ service, model }), [service, model]);
  const metric = slow?.details.metric === 'ttft_ms' ? 'ttft_ms' : 'latency_ms';
  const what = service || model ? [service, model].filter(Boolean).join(' · ') : 'all calls';
  return (
    <Panel title={metric === 'ttft_ms' ? 'Time to first token' : 'Latency'} note={what} actions={<a href={linkTo('latency', '', { service: service || null, model: model || null })}>Open</a>}>
      <PercentileChart range={range} filter={one} metric={metric} log={false} height={190} />
    </Panel>
  );
}

function ErrorPanel({ range, filter }: ViewProps) {
  const over = useQuery<Stat[]>(statsOverTime(range, filter), 30);
  const step = stepFor(range, 120);
  const time = useMemo(() => bucketTimes(range, step), [range, step]);
  const lines = useMemo(() => [{ label: 'failed calls', color: '--cat2', bars: true, values: align(over.data ?? [], time).map((s) => s?.failed ?? 0) }], [over.data, time]);
  return (
    <Panel title="Failed calls" actions={<a href={linkTo('errors')}>Open</a>}>
      <Loaded of={over} height={220} empty={(d) => !d.some((s) => s.failed) && 'No call failed in this time range.'}>
        {() => <Chart label="Number of failed calls" whole time={time} lines={lines} format={count} from={range.from} to={range.to} height={190} onZoom={zoom} sync="latency" />}
      </Loaded>
    </Panel>
  );
}

/** What can be shown over a storage backend without figures: what was found. */
function Limited({ range, filter, error }: ViewProps & { error: ApiError }) {
  const found = useQuery<Anomaly[]>(anomaliesOf(range, filter, 100), 15);
  const list = useMemo(() => worstFirst(found.data ?? []), [found.data]);
  return (
    <>
      <Failure error={error} />
      <Panel title="Found in this time range" actions={<a href={linkTo('anomalies')}>All anomalies</a>}>
        <Loaded of={found} height={200} empty={() => list.length === 0 && 'Nothing is out of the ordinary.'}>
          {() => <AnomalyList list={list} label="Anomalies, worst first" relative />}
        </Loaded>
      </Panel>
    </>
  );
}

function Quiet({ overview, preset }: { overview?: Overview; preset: string }) {
  if (overview && overview.calls === 0) {
    return (
      <>
        No calls in this time range.{' '}
        {preset !== '7d' && <button type="button" class="link" onClick={() => setParams({ range: '7d', start: null, end: null })}>Look at the last 7 days</button>}
      </>
    );
  }
  return <>Nothing is out of the ordinary.</>;
}

function Status(p: { overview?: Overview; active: Anomaly[]; error: unknown; filtered: boolean }) {
  const { overview: o, active } = p;
  if (!o) return <div class="status loading" role="status"><span class="hidden">Loading</span></div>;
  const grave = active.filter((a) => a.severity === 'critical' || a.severity === 'high').length;
  const status = p.filtered ? (active.some((a) => a.severity === 'critical') ? 'critical' : active.length ? 'warning' : 'ok') : o.status;
  const first = active[0];
  const headline = !active.length
    ? o.calls ? 'All is well' : 'No calls'
    : grave ? `${plural(grave, 'serious problem')} now` : `${plural(active.length, 'minor problem')} now`;
  return (
    <section class={`status status-${status}`} aria-label="Status">
      <StatusIcon status={status} />
      <div>
        {/* Only the headline is live: whoever listens hears of a change once. */}
        <p class="headline" role="status">{headline}</p>
        <p class="sub">
          {first ? (
            <>Worst: <a href={linkTo('anomaly', first.alert_id)}><b>{first.service_name}</b> · <b>{first.model}</b>: {typeTitle(first.anomaly_type).toLowerCase()}; {inOneLine(first)}</a></>
          ) : (
            <>{plural(o.calls, 'call')} judged, {countsInWords(o.anomalies)}{countsInWords(o.anomalies) === 'none' ? ' marked' : ' marked, none of it open'}.</>
          )}
        </p>
      </div>
      <span class="spacer" />
      <span class="updated">as of <Time t={o.now} />{p.error !== undefined && <b> · no answer since</b>}</span>
    </section>
  );
}

function StatusIcon({ status }: { status: string }) {
  if (status === 'ok') return <svg class="status-icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm3.6 5L7.2 11 4.4 8.4l1-1.1 1.7 1.5 3.3-3.9z" fill-rule="evenodd" /></svg>;
  return <span class="status-icon"><SeverityIcon severity={status === 'critical' ? 'critical' : 'high'} /></span>;
}

function Tiles({ range, filter }: ViewProps) {
  const over = useQuery<Stat[]>(statsOverTime(range, filter), 30);
  const sum = useQuery<Stat[]>(statsOf(range, filter), 15);
  const step = stepFor(range, 120);
  const times = useMemo(() => bucketTimes(range, step), [range, step]);
  const rows = useMemo(() => align(over.data ?? [], times), [over.data, times]);
  // The last bucket is not full: as the end of a line it would look like a fall.
  const full = rows.slice(0, -1);
  const zero = (of: (s: Stat) => number) => full.map((s) => (s ? of(s) : 0));
  const s = sum.data?.[0];
  if (sum.error && !sum.data) return <Failure error={sum.error} retry={sum.retry} />;
  const tiles = [
    { title: 'Calls', value: count(s?.calls ?? 0), note: `${count((s?.calls ?? 0) / ((range.to - range.from) / 60_000))} per minute`, line: zero((b) => b.calls), kind: 'calls', view: 'services' },
    { title: 'Errors', value: percent(s?.error_rate ?? (s ? 0 : null)), note: `${count(s?.failed ?? 0)} failed`, line: zero((b) => b.failed), kind: 'errors', view: 'errors' },
    { title: 'Latency p95', value: millis(s?.latency_ms.count ? s.latency_ms.p95 : null), note: `median ${millis(s?.latency_ms.count ? s.latency_ms.p50 : null)}`, line: percentile(full, 'latency_ms', 'p95'), kind: 'latency', view: 'latency' },
    { title: 'First token p95', value: millis(s?.ttft_ms.count ? s.ttft_ms.p95 : null), note: s?.ttft_ms.count ? `median ${millis(s.ttft_ms.p50)}` : 'no streaming calls', line: percentile(full, 'ttft_ms', 'p95'), kind: 'latency', view: 'latency' },
    { title: 'Cost', value: usd(s?.priced_calls ? s.cost_usd : s ? null : 0), note: s && s.priced_calls < s.calls ? `${percent(1 - s.priced_calls / s.calls)} without a price` : 'all calls priced', line: pick(full, (b) => (b.priced_calls ? b.cost_usd : null)), kind: 'cost', view: 'usage' },
    { title: 'Tokens', value: count(s?.total_tokens ?? 0), note: `${count(s?.input_tokens ?? 0)} in, ${count(s?.output_tokens ?? 0)} out`, line: zero((b) => b.total_tokens), kind: 'cost', view: 'usage' },
  ];
  return (
    <ul class={'tiles' + (sum.stale ? ' stale' : '')} aria-label="Key figures of the time range" aria-busy={sum.data === undefined}>
      {tiles.map((t) => (
        <li key={t.title}>
          <a class="tile" href={linkTo(t.view)}>
            <span class="tile-title">{t.title}</span>
            <span class="tile-value">{sum.data === undefined ? '\u00a0' : t.value}</span>
            <span class="tile-note">{sum.data === undefined ? '\u00a0' : t.note}</span>
            <Spark values={t.line} kind={t.kind} />
          </a>
        </li>
      ))}
    </ul>
  );
}
