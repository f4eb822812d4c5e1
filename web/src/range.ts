import { type Params, serverNow } from './api';

/** A time range: one of the presets up to now, or a fixed one. */
export interface Range {
  preset: string;
  /** Milliseconds since 1970. */
  from: number;
  to: number;
}

export const presets: Record<string, { hours: number; label: string }> = {
  '1h': { hours: 1, label: 'Last hour' },
  '6h': { hours: 6, label: 'Last 6 hours' },
  '24h': { hours: 24, label: 'Last 24 hours' },
  '7d': { hours: 168, label: 'Last 7 days' },
  '30d': { hours: 720, label: 'Last 30 days' },
};

export const defaultPreset = '1h';

export function rangeOf(p: URLSearchParams): Range {
  const from = Date.parse(p.get('start') ?? '');
  const to = Date.parse(p.get('end') ?? '');
  if (from < to) return { preset: '', from, to };
  const preset = presets[p.get('range') ?? ''] ? p.get('range')! : defaultPreset;
  const now = serverNow();
  return { preset, from: now - presets[preset].hours * 3_600_000, to: now };
}

/** The range as parameters of the interface. */
export function rangeParams(r: Range): Params {
  if (r.preset) return { hours: presets[r.preset].hours };
  return { start: new Date(r.from).toISOString(), end: new Date(r.to).toISOString() };
}

const minute = 60;
const niceSteps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((m) => m * minute);

/** A step in seconds that gives at most so many buckets. */
export function stepFor(r: Range, buckets: number): number {
  const want = (r.to - r.from) / 1000 / buckets;
  return niceSteps.find((s) => s >= want) ?? Math.ceil(want / 86_400) * 86_400;
}

export function stepText(seconds: number): string {
  if (seconds % 86_400 === 0) return seconds / 86_400 + 'd';
  if (seconds % 3600 === 0) return seconds / 3600 + 'h';
  return seconds / 60 + 'm';
}
