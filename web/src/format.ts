import type { Num } from './types';

export const unknown = '–';

function known(v: Num): v is number {
  return typeof v === 'number' && Number.isFinite(v);
}

/** A number with about three digits: 1234567 is 1.23M. */
export function count(v: Num): string {
  if (!known(v)) return unknown;
  const a = Math.abs(v);
  for (const [limit, unit] of [[1e9, 'G'], [1e6, 'M'], [1e4, 'k']] as const) {
    // 999 950 would be "1000k".
    if (a >= limit * 0.99995) {
      const by = unit === 'k' ? 1e3 : limit;
      return digits(v / by) + unit;
    }
  }
  if (a >= 1000) return Math.round(v).toLocaleString('en-US').replace(',', '\u202f');
  return Number.isInteger(v) ? String(v) : digits(v);
}

function digits(v: number): string {
  const a = Math.abs(v);
  if (a >= 100) return v.toFixed(0);
  if (a >= 10) return v.toFixed(1).replace(/\.0$/, '');
  if (a >= 0.01 || a === 0) return v.toFixed(2).replace(/\.?0+$/, '');
  return v.toPrecision(2);
}

export function millis(v: Num): string {
  if (!known(v)) return unknown;
  const a = Math.abs(v);
  if (a < 1000) return digits(a < 10 ? v : Math.round(v)) + ' ms';
  if (a < 60_000) return (v / 1000).toFixed(a < 9995 ? 2 : 1) + ' s';
  if (a < 3_600_000) return (v / 60_000).toFixed(1) + ' min';
  return (v / 3_600_000).toFixed(1) + ' h';
}

export function usd(v: Num): string {
  if (!known(v)) return unknown;
  const a = Math.abs(v);
  if (a === 0) return '$0';
  if (a >= 10_000) return '$' + count(v);
  if (a >= 0.1) return '$' + v.toFixed(2);
  return '$' + Number(v.toPrecision(3)).toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

export function percent(v: Num): string {
  if (!known(v)) return unknown;
  const p = v * 100;
  if (p === 0) return '0%';
  if (Math.abs(p) < 0.01) return '<0.01%';
  return (Math.abs(p) < 10 ? p.toFixed(2).replace(/\.?0+$/, '') : p.toFixed(1)) + '%';
}

/** The value of a metric of the contract in its unit. */
export function metricValue(metric: string, v: Num): string {
  if (metric.endsWith('_ms')) return millis(v);
  if (metric.endsWith('_usd')) return usd(v);
  if (metric.endsWith('_rate')) return percent(v);
  if (metric === 'throughput' && known(v)) return count(v) + ' calls/min';
  return count(v);
}

const names: Record<string, string> = {
  latency_ms: 'latency',
  ttft_ms: 'time to first token',
  cost_usd: 'cost per call',
  conversation_cost_usd: 'cost of the conversation',
};

export function metricName(metric: string): string {
  return names[metric] ?? metric.replace(/_(ms|usd)$/, '').replaceAll('_', ' ').replaceAll('.', ' ');
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The time zone of this browser, with its distance to UTC now. */
export function zoneName(): string {
  const minutes = -new Date().getTimezoneOffset();
  if (minutes === 0) return zone === 'UTC' ? 'UTC' : `${zone} (UTC)`;
  const h = Math.trunc(Math.abs(minutes) / 60);
  const m = Math.abs(minutes) % 60;
  return `${zone} (UTC${minutes < 0 ? '−' : '+'}${h}${m ? ':' + String(m).padStart(2, '0') : ''})`;
}

const pad = (n: number) => String(n).padStart(2, '0');

/** Local time; the date is left out when it is today's. */
export function localTime(t: string | number, seconds = true): string {
  const d = new Date(t);
  if (Number.isNaN(d.getTime())) return unknown;
  const clock = `${pad(d.getHours())}:${pad(d.getMinutes())}${seconds ? ':' + pad(d.getSeconds()) : ''}`;
  return d.toDateString() === new Date().toDateString() ? clock : `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${clock}`;
}

export function utcTime(t: string | number): string {
  const d = new Date(t);
  return Number.isNaN(d.getTime()) ? unknown : d.toISOString().replace('T', ' ').replace('Z', ' UTC');
}

/** How long ago, in one unit. */
export function ago(t: string | number, now: number): string {
  const s = Math.round((now - new Date(t).getTime()) / 1000);
  if (Number.isNaN(s)) return unknown;
  if (s < -5) return 'in the future';
  if (s < 5) return 'now';
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

/** English plural of regular words. */
export function plural(n: number, word: string): string {
  return `${count(n)} ${word}${n === 1 ? '' : word.endsWith('s') ? 'es' : 's'}`;
}
