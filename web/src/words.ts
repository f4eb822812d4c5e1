import { metricName, metricValue } from './format';
import type { Anomaly, Counts, Name, Severity } from './types';

// Anomalies in the words of the person who has to act on them.

export const severities: Severity[] = ['critical', 'high', 'medium', 'low'];

export const anomalyTypes: Record<string, string> = {
  latency_spike: 'Slow answers',
  throughput_degradation: 'Fewer calls than usual',
  throughput_surge: 'More calls than usual',
  error_rate_increase: 'Calls fail',
  token_usage_spike: 'Unusual token use',
  cost_anomaly: 'Unusual cost',
  input_drift: 'Prompts have changed',
  output_drift: 'Answers have changed',
  concept_drift: 'Behaviour has changed',
  embedding_drift: 'Topics have changed',
  hallucination: 'Hallucination',
  quality_degradation: 'Quality has dropped',
  security_threat: 'Security threat',
};

const detectors: Record<string, [string, string]> = {
  z_score: ['Prediction interval', 'the value lies outside of what the last calls predict'],
  iqr: ['Quartile fences', 'the value lies beyond the fences around the middle half of the calls'],
  mad: ['Median deviation', 'the distance from the median is many times the usual one'],
  cusum: ['Cumulative sum', 'small deviations to the same side have added up'],
  trend: ['Trend', 'the means of the last minutes left their rhythm'],
  beta_binomial: ['Failure count', 'more failures than the usual rate explains'],
  error_burst: ['Error burst', 'failures follow each other faster than by chance'],
  quasi_poisson: ['Counts of calls', 'the number of calls is off by more than its usual spread'],
  threshold: ['Threshold', 'a score or a mark that is told on its own'],
  binomial: ['Share of one user', 'refusals hit this user more often than by chance'],
  rls: ['Relation', 'output and speed no longer follow the input as they did'],
  mmd: ['Distance of distributions', 'the embeddings have moved'],
  psi: ['Population stability', 'the distribution has moved'],
  kl_divergence: ['Divergence', 'the distribution has moved'],
  silence: ['Silence', 'no call for longer than ever before'],
  loop: ['Loop', 'the same tool is called with the same arguments again and again'],
};

export function nameOf(n: Name): string {
  return typeof n === 'string' ? n : n.custom;
}

export function typeTitle(n: Name): string {
  const name = nameOf(n);
  return anomalyTypes[name] ?? name.replaceAll('_', ' ');
}

export function detectorTitle(name: string): string {
  return detectors[name]?.[0] ?? name.replaceAll('_', ' ');
}

export function detectorMeaning(name: string): string {
  return detectors[name]?.[1] ?? '';
}

/** All detectors that agreed, strongest first. */
export function methodsOf(a: Anomaly): string[] {
  const list = a.details.additional?.detection_methods;
  const names = Array.isArray(list) ? list.filter((m): m is string => typeof m === 'string') : [];
  const first = nameOf(a.detection_method);
  return names.length ? names : first ? [first] : [];
}

function finite(v: unknown): v is number {
  return typeof v === 'number' && Number.isFinite(v);
}

const compared = /_(ms|usd|tokens|rate|calls)$|^tokens$|^calls|^throughput$/;

/** Value against expectation in one line: "latency 11.8 s, expected 2.75 s (4.3 times)". */
export function inOneLine(a: Anomaly): string {
  const { metric, value, baseline } = a.details;
  if (finite(value) && finite(baseline) && compared.test(metric)) {
    return `${metricName(metric)} ${metricValue(metric, value)}, expected ${metricValue(metric, baseline)}${ratio(value, baseline)}`;
  }
  if (a.root_cause) return a.root_cause.split(';', 1)[0];
  if (finite(value)) return `${metricName(metric)} ${metricValue(metric, value)}`;
  return metricName(metric);
}

function ratio(value: number, baseline: number): string {
  if (baseline <= 0 || value === baseline) return '';
  const r = value / baseline;
  if (r >= 1.5) return ` (${r >= 10 ? Math.round(r) : r.toFixed(1)}\u00d7)`;
  return r > 1 ? ` (+${Math.round((r - 1) * 100)}%)` : ` (−${Math.round((1 - r) * 100)}%)`;
}

export function total(c: Counts | undefined): number {
  return severities.reduce((n, s) => n + (c?.[s] ?? 0), 0);
}

export function worst(c: Counts | undefined): Severity | undefined {
  return severities.find((s) => (c?.[s] ?? 0) > 0);
}

/** "2 critical, 1 low" */
export function countsInWords(c: Counts | undefined): string {
  return severities.filter((s) => (c?.[s] ?? 0) > 0).map((s) => `${c![s]} ${s}`).join(', ') || 'none';
}

/** The key of a baseline: parts joined by ':', with ':' and '%' escaped in them. */
export function baselineKey(service: string, model: string, metric: string): string {
  return [service, model, metric].map((p) => p.replaceAll('%', '%25').replaceAll(':', '%3A')).join(':');
}
