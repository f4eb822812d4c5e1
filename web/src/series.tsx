import { useMemo } from 'preact/hooks';
import { marksOf } from './anomalies';
import { address } from './api';
import { Chart } from './chart';
import { millis } from './format';
import { useQuery } from './query';
import { rangeParams, stepFor } from './range';
import { linkTo, setParams } from './router';
import { align, anomaliesOf, bucketTimes, type Filter, percentile, statsOverTime, type ViewProps } from './stats';
import type { Anomaly, Baseline, BaselineHistory, BaselinePoint, Stat } from './types';
import { Loaded } from './ui';
import { baselineKey } from './words';

export type Millis = 'latency_ms' | 'ttft_ms';

/** What was expected at each time: the newest baseline that was known then. */
export function bandAt(points: BaselinePoint[], times: number[]): { expected: (number | null)[]; lower: (number | null)[]; upper: (number | null)[] } {
  const sorted = points.map((p) => ({ ...p, at: Date.parse(p.time) / 1000 })).sort((a, b) => a.at - b.at);
  const out = { expected: [] as (number | null)[], lower: [] as (number | null)[], upper: [] as (number | null)[] };
  let i = -1;
  const step = times.length > 1 ? times[1] - times[0] : 60;
  for (const t of times) {
    while (i + 1 < sorted.length && sorted[i + 1].at <= t + step) i++;
    const p = i < 0 ? undefined : sorted[i];
    out.expected.push(p?.expected ?? null);
    out.lower.push(p?.lower ?? null);
    out.upper.push(p?.upper ?? null);
  }
  return out;
}

export function zoom(from: number, to: number) {
  // Buckets have minutes: less than three of them would show nothing.
  const width = Math.max(to - from, 180_000);
  setParams({ range: null, start: new Date(from).toISOString(), end: new Date(from + width).toISOString() });
}

/** Percentiles over time; for one service and model with what was expected, and the anomalies. */
export function PercentileChart({ range, filter, metric, log, height = 240 }: Omit<ViewProps, 'id' | 'params'> & { metric: Millis; log: boolean; height?: number }) {
  const one = filter.service !== '' && filter.model !== '';
  const stats = useQuery<Stat[]>(statsOverTime(range, filter), 30);
  const found = useQuery<Anomaly[]>(anomaliesOf(range, filter, 100), 30);
  // Asking for the history of what was never learned would be an error.
  const known = useQuery<Baseline[]>(one ? address('api/v1/baselines', { ...filter, metric, limit: 1 }) : null);
  // A baseline from before the range still holds at its beginning.
  const history = useQuery<BaselineHistory>(
    one && known.data?.length ? address('api/v1/baselines/' + encodeURIComponent(baselineKey(filter.service, filter.model, metric)), rangeParams({ ...range, preset: '', from: floorMinute(range.from) - 3_600_000, to: floorMinute(range.to) + 60_000 })) : null,
  );
  const pending = one && !known.error && (!known.data || (known.data.length > 0 && !history.data && !history.error));
  const step = stepFor(range, 120);
  const view = useMemo(() => {
    const time = bucketTimes(range, step);
    const rows = align(stats.data ?? [], time);
    const band = history.data?.points.length ? bandAt(history.data.points, time) : undefined;
    return {
      time,
      band: band && { label: 'normal for one call', lower: band.lower, upper: band.upper },
      lines: [
        { label: 'p50', color: '--p50', values: percentile(rows, metric, 'p50') },
        { label: 'p95', color: '--p95', values: percentile(rows, metric, 'p95') },
        { label: 'p99', color: '--p99', dash: [3, 3], values: percentile(rows, metric, 'p99') },
        ...(band ? [{ label: 'expected', color: '--expected', dash: [5, 4], values: band.expected }] : []),
      ],
    };
  }, [stats.data, history.data, range, step, metric]);
  const marks = useMemo(() => marksOf((found.data ?? []).filter((a) => a.details.metric === metric), metric), [found.data, metric]);

  return (
    <Loaded of={stats} height={height + 30} empty={(d) => !d.some((s) => s[metric]?.count) && noValues(metric, filter)}>
      {() => (
        <div aria-busy={pending}>
          <Chart
            label={`${metric === 'latency_ms' ? 'Latency' : 'Time to first token'}: median, 95th and 99th percentile${view.band ? ', with the expected band' : ''}; ${marks.length} anomalies`}
            {...view} marks={marks} format={millis} from={range.from} to={range.to} height={height} log={log} onZoom={zoom} sync="latency"
            onMark={(m) => (location.hash = linkTo('anomaly', m.id))}
          />
          {one && !pending && !view.band && <p class="hint">No expected band: {known.error ? 'this storage backend keeps no baselines' : 'nothing has been learned of this series yet, or not in this range'}.</p>}
        </div>
      )}
    </Loaded>
  );
}

function floorMinute(t: number): number {
  return Math.floor(t / 60_000) * 60_000;
}

function noValues(metric: Millis, f: Filter): string {
  const what = metric === 'latency_ms' ? 'calls with a known latency' : 'calls with a known time to first token (streaming only)';
  return `No ${what}${f.service || f.model ? ' of this series' : ''} in this time range.`;
}
