// The answers of the query interface, as openapi.yaml describes them.

export type Severity = 'low' | 'medium' | 'high' | 'critical';

/** A name of the contract, or a custom one. */
export type Name = string | { custom: string };

export type Num = number | null | undefined;

export interface Anomaly {
  alert_id: string;
  timestamp: string;
  severity: Severity;
  anomaly_type: Name;
  service_name: string;
  model: string;
  detection_method: Name;
  confidence: Num;
  details: {
    metric: string;
    value: Num;
    baseline: Num;
    threshold: Num;
    deviation_sigma: Num;
    additional: Record<string, unknown>;
  };
  context: {
    trace_id: string | null;
    user_id: string | null;
    region: string | null;
    time_window: string;
    sample_count: number;
    additional: Record<string, string>;
  };
  root_cause: string | null;
  remediation: string[];
  related_alerts: string[];
  runbook_url: string | null;
}

export interface Event {
  event_id: string;
  timestamp: string;
  service_name: string;
  trace_id: string | null;
  span_id: string | null;
  model: string;
  prompt: { tokens: Num };
  response: { tokens: Num; finish_reason: string };
  latency_ms: Num;
  cost_usd: Num;
  metadata: Record<string, string>;
  errors: string[];
  total_tokens: Num;
  ttft_ms: Num;
  operation: string;
  provider: string;
}

export interface Distribution {
  count: number;
  mean: Num;
  min: Num;
  max: Num;
  p50: Num;
  p95: Num;
  p99: Num;
}

export interface Stat {
  start: string;
  group?: Record<string, string>;
  calls: number;
  failed: number;
  error_rate: Num;
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  cost_usd: Num;
  priced_calls: number;
  latency_ms: Distribution;
  ttft_ms: Distribution;
}

export type Counts = Partial<Record<Severity, number>>;

export interface Overview {
  status: 'ok' | 'warning' | 'critical';
  now: string;
  calls: number;
  failed: number;
  error_rate: Num;
  cost_usd: Num;
  total_tokens: number;
  latency_p95_ms: Num;
  active: Anomaly[];
  anomalies: Counts;
  empty: boolean;
}

export interface ServiceRow {
  service: string;
  calls: number;
  failed: number;
  error_rate: Num;
  models: string[];
  latency_p95_ms: Num;
  cost_usd: Num;
  anomalies: Counts;
  last_seen: string;
}

export interface ModelRow {
  model: string;
  provider: string;
  services: string[];
  calls: number;
  failed: number;
  error_rate: Num;
  total_tokens: number;
  cost_usd: Num;
  latency_p95_ms: Num;
  ttft_p95_ms: Num;
  anomalies: Counts;
}

export interface BaselinePoint {
  time: string;
  expected: Num;
  lower: Num;
  upper: Num;
  samples: number;
}

export interface Baseline extends BaselinePoint {
  key: string;
  service: string;
  model: string;
  metric: string;
  engine?: string;
}

export interface BaselineHistory {
  key: string;
  service: string;
  model: string;
  metric: string;
  points: BaselinePoint[];
}

export type Verdict = 'true' | 'false' | 'mute';

export interface Feedback {
  id: string;
  time: string;
  anomaly_id: string;
  verdict: Verdict;
  until?: string | null;
  comment?: string;
  author?: string;
}

export interface AnomalyDetail {
  anomaly: Anomaly;
  feedback: Feedback[];
  event: Event | null;
  spans: Event[];
  baseline: BaselinePoint[];
  values: { time: string; value: number; event_id: string }[];
  similar: Anomaly[];
  related: Anomaly[];
}

export interface Trace {
  trace_id?: string;
  session_id?: string;
  start: string;
  end: string;
  calls: number;
  failed: number;
  total_tokens: number;
  cost_usd: Num;
  services: string[];
  events: Event[];
  anomalies: Anomaly[];
  truncated: boolean;
}

export interface Component {
  name: string;
  kind: string;
  status: 'healthy' | 'degraded' | 'unhealthy';
  state: string;
  message?: string;
  since?: string;
  pipelines?: string[];
}

export interface Health {
  status: 'healthy' | 'degraded' | 'unhealthy';
  version: string;
  components?: Component[];
}
