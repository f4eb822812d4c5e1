import { address, type Params } from './api';
import { type Range, rangeParams, stepFor, stepText } from './range';
import type { Anomaly, Stat } from './types';

/** What the whole page is narrowed to. */
export interface Filter {
  service: string;
  model: string;
}

export interface ViewProps {
  id: string;
  params: URLSearchParams;
  range: Range;
  filter: Filter;
}

/** Figures over time, in at most so many buckets. */
export function statsOverTime(r: Range, f: Filter, buckets = 120, more: Params = {}): string {
  return address('api/v1/stats', { ...rangeParams(r), ...f, step: stepText(stepFor(r, buckets)), ...more });
}

/** Figures of the whole range, one for each group. */
export function statsOf(r: Range, f: Filter, groupBy = '', more: Params = {}): string {
  return address('api/v1/stats', { ...rangeParams(r), ...f, step: 'all', group_by: groupBy, ...more });
}

export function anomaliesOf(r: Range, f: Filter, limit: number, more: Params = {}): string {
  return address('api/v1/anomalies', { ...rangeParams(r), ...f, limit, ...more });
}

/** The starts of all buckets of a range, in seconds; buckets without calls are not in the answer. */
export function bucketTimes(r: Range, step: number): number[] {
  const out: number[] = [];
  for (let t = Math.floor(r.from / 1000 / step) * step; t * 1000 < r.to; t += step) out.push(t);
  return out;
}

/** The rows in the order of times, with gaps where there were no calls. */
export function align(rows: Stat[], times: number[]): (Stat | undefined)[] {
  const at = new Map(rows.map((s) => [Math.round(Date.parse(s.start) / 1000), s]));
  return times.map((t) => at.get(t));
}

/** A value of calls that were made: what no call has told is a gap, not zero. */
export function pick(rows: (Stat | undefined)[], of: (s: Stat) => number | null | undefined): (number | null)[] {
  return rows.map((s) => (s ? of(s) ?? null : null));
}

export function percentile(rows: (Stat | undefined)[], metric: 'latency_ms' | 'ttft_ms', p: 'p50' | 'p95' | 'p99'): (number | null)[] {
  return pick(rows, (s) => (s[metric]?.count ? s[metric][p] : null));
}

/** The key of a series in maps: no name can hold a NUL. */
export function seriesKey(service: string, model: string): string {
  return service + '\0' + model;
}

export function anomaliesBySeries(list: Anomaly[]): Map<string, Anomaly[]> {
  const out = new Map<string, Anomaly[]>();
  for (const a of list) {
    const k = seriesKey(a.service_name, a.model);
    const l = out.get(k);
    if (l) l.push(a);
    else out.set(k, [a]);
  }
  return out;
}
