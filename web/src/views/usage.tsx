import { useMemo } from 'preact/hooks';
import { Chart, type Line } from '../chart';
import { count, percent, usd } from '../format';
import { useQuery } from '../query';
import { stepFor } from '../range';
import { setParams } from '../router';
import { zoom } from '../series';
import { align, bucketTimes, statsOf, statsOverTime, type ViewProps } from '../stats';
import { DataTable } from '../table';
import type { Stat } from '../types';
import { Loaded, Name, Panel, Segmented } from '../ui';

const dimensions = ['model', 'service', 'provider', 'operation', 'environment', 'tenant'];
const buckets = 60;
const maxGroups = 6;

export function UsageView(p: ViewProps) {
  const by = dimensions.includes(p.params.get('by') ?? '') ? p.params.get('by')! : 'model';
  const over = useQuery<Stat[]>(statsOverTime(p.range, p.filter, buckets), 30);
  const grouped = useQuery<Stat[]>(statsOverTime(p.range, p.filter, buckets, { group_by: by }), 30);
  const sums = useQuery<Stat[]>(statsOf(p.range, p.filter, by), 30);
  const step = stepFor(p.range, buckets);
  const time = useMemo(() => bucketTimes(p.range, step), [p.range, step]);
  const tokens = useMemo(() => tokenLines(over.data ?? [], time), [over.data, time]);
  const cost = useMemo(() => costLines(grouped.data ?? [], sums.data ?? [], by, time), [grouped.data, sums.data, by, time]);
  const all = useMemo(() => (sums.data ?? []).reduce((n, s) => ({ cost: n.cost + (s.cost_usd ?? 0), tokens: n.tokens + s.total_tokens, calls: n.calls + s.calls, priced: n.priced + s.priced_calls }), { cost: 0, tokens: 0, calls: 0, priced: 0 }), [sums.data]);
  const none = (d: Stat[]) => d.length === 0 && 'No calls in this time range.';
  return (
    <>
      <div class="toolbar">
        <span class="muted" aria-hidden="true">Split by</span>
        <Segmented label="Split by" value={by} choices={dimensions.map((d) => ({ value: d, label: d }))} onChange={(v) => setParams({ by: v === 'model' ? null : v })} />
      </div>
      <div class="two">
        <Panel title="Cost" note={sums.data && `${usd(all.cost)} in total${all.priced < all.calls ? `; ${percent(1 - all.priced / all.calls)} of calls have no known price` : ''}`}>
          <Loaded of={grouped} height={250} empty={none}>
            {() => <Chart label={`Cost by ${by}`} time={time} lines={cost} format={usd} from={p.range.from} to={p.range.to} onZoom={zoom} sync="usage" />}
          </Loaded>
        </Panel>
        <Panel title="Tokens" note={sums.data && `${count(all.tokens)} in total`}>
          <Loaded of={over} height={250} empty={none}>
            {() => <Chart label="Tokens by kind" time={time} lines={tokens} format={count} from={p.range.from} to={p.range.to} onZoom={zoom} sync="usage" />}
          </Loaded>
        </Panel>
      </div>
      <Panel title={<>By {by}</>}>
        <Loaded of={sums} empty={none}>
          {(rows) => (
            <DataTable
              label={`Use by ${by}`} rows={rows} rowKey={(r) => r.group?.[by] ?? ''} sort="-Cost" text={(r) => r.group?.[by] ?? ''}
              columns={[
                { label: by, value: (r) => r.group?.[by] ?? '', cell: (r) => <Name missing="not told">{r.group?.[by] ?? ''}</Name> },
                { label: 'Calls', num: true, value: (r) => r.calls, cell: (r) => count(r.calls) },
                { label: 'Cost', num: true, value: (r) => r.cost_usd, cell: (r) => <Share value={r.cost_usd ?? 0} of={all.cost}>{r.priced_calls ? usd(r.cost_usd) : 'no price'}</Share> },
                { label: 'Per call', num: true, value: (r) => (r.priced_calls ? (r.cost_usd ?? 0) / r.priced_calls : null), cell: (r) => usd(r.priced_calls ? (r.cost_usd ?? 0) / r.priced_calls : null) },
                { label: 'Input', num: true, value: (r) => r.input_tokens, cell: (r) => count(r.input_tokens) },
                { label: 'from cache', num: true, value: (r) => (r.input_tokens ? r.cache_read_tokens / r.input_tokens : null), cell: (r) => percent(r.input_tokens ? r.cache_read_tokens / r.input_tokens : null) },
                { label: 'Output', num: true, value: (r) => r.output_tokens, cell: (r) => count(r.output_tokens) },
                { label: 'Reasoning', num: true, value: (r) => r.reasoning_tokens, cell: (r) => count(r.reasoning_tokens) },
              ]}
            />
          )}
        </Loaded>
      </Panel>
    </>
  );
}

function Share({ value, of, children }: { value: number; of: number; children: string }) {
  const share = of > 0 ? value / of : 0;
  return <span class="share"><span class="share-bar" style={{ width: `${(share * 100).toFixed(1)}%` }} /><span>{children}</span></span>;
}

/** Bars on top of each other: what is drawn is the sum so far, what is told the part. */
function stack(parts: { label: string; color: string; values: (number | null)[] }[]): Line[] {
  const sum: number[] = [];
  const lines = parts.map((part) => ({
    label: part.label, color: part.color, bars: true, shown: part.values,
    values: part.values.map((v, i) => (sum[i] = (sum[i] ?? 0) + (v ?? 0))),
  }));
  // The highest is drawn first, the others over it.
  return lines.reverse();
}

function tokenLines(rows: Stat[], time: number[]): Line[] {
  const at = align(rows, time);
  const part = (label: string, color: string, of: (s: Stat) => number) => ({ label, color, values: at.map((s) => (s ? Math.max(0, of(s)) : 0)) });
  return stack([
    part('input', '--cat1', (s) => s.input_tokens - s.cache_read_tokens - s.cache_write_tokens),
    part('cache write', '--cat5', (s) => s.cache_write_tokens),
    part('cache read', '--cat3', (s) => s.cache_read_tokens),
    part('output', '--cat2', (s) => s.output_tokens - s.reasoning_tokens),
    part('reasoning', '--cat4', (s) => s.reasoning_tokens),
  ].filter((p) => p.values.some((v) => v > 0)));
}

function costLines(rows: Stat[], sums: Stat[], by: string, time: number[]): Line[] {
  const names = [...sums].sort((a, b) => (b.cost_usd ?? 0) - (a.cost_usd ?? 0)).filter((s) => (s.cost_usd ?? 0) > 0).map((s) => s.group?.[by] ?? '');
  const top = names.slice(0, maxGroups);
  const place = new Map(top.map((n, i) => [n, i]));
  const parts = top.map((n, i) => ({ label: n || 'not told', color: `--cat${i + 1}`, values: time.map(() => 0) }));
  const rest = { label: `${names.length - top.length} others`, color: '--cat7', values: time.map(() => 0) };
  const index = new Map(time.map((t, i) => [t, i]));
  for (const s of rows) {
    const i = index.get(Math.round(Date.parse(s.start) / 1000));
    if (i === undefined) continue;
    const k = place.get(s.group?.[by] ?? '');
    (k === undefined ? rest : parts[k]).values[i] += s.cost_usd ?? 0;
  }
  return stack(names.length > top.length ? [...parts, rest] : parts);
}
