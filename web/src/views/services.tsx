import { address } from '../api';
import { count, millis, percent, usd } from '../format';
import { type Heat, heats, Matrix } from '../matrix';
import { useQuery } from '../query';
import { rangeParams } from '../range';
import { linkTo, setParams } from '../router';
import type { ViewProps } from '../stats';
import { DataTable } from '../table';
import type { Counts, ModelRow, ServiceRow } from '../types';
import { Loaded, Name, Panel, Segmented, SeverityIcon, Time } from '../ui';
import { countsInWords, total, worst } from '../words';

export function ServicesView(p: ViewProps) {
  const heat = (heats.find((h) => h.value === p.params.get('heat'))?.value ?? 'anomalies') as Heat;
  const services = useQuery<ServiceRow[]>(address('api/v1/services', rangeParams(p.range)), 30);
  const models = useQuery<ModelRow[]>(address('api/v1/models', { ...rangeParams(p.range), service: p.filter.service }), 30);
  return (
    <>
      <Panel title="Where it happens" note="a cell opens the latency of its series" actions={<Segmented label="Colour by" value={heat} choices={heats} onChange={(v) => setParams({ heat: v === 'anomalies' ? null : v })} />}>
        <Matrix {...p} heat={heat} />
      </Panel>
      <Panel title="Services">
        <Loaded of={services} empty={(d) => d.length === 0 && 'No calls in this time range.'}>
          {(rows) => (
            <DataTable
              label="Services" rows={rows.filter((r) => !p.filter.service || r.service === p.filter.service)} rowKey={(r) => r.service} sort="-Calls" text={(r) => r.service} href={(r) => linkTo('latency', '', { service: r.service })}
              columns={[
                { label: 'Service', value: (r) => r.service, cell: (r) => <Name>{r.service}</Name> },
                { label: 'Anomalies', num: true, value: (r) => total(r.anomalies), cell: (r) => <Marks counts={r.anomalies} /> },
                { label: 'Calls', num: true, value: (r) => r.calls, cell: (r) => count(r.calls) },
                { label: 'Errors', num: true, value: (r) => r.error_rate, cell: (r) => percent(r.error_rate) },
                { label: 'Latency p95', num: true, value: (r) => r.latency_p95_ms, cell: (r) => millis(r.latency_p95_ms) },
                { label: 'Cost', num: true, value: (r) => r.cost_usd, cell: (r) => usd(r.cost_usd) },
                { label: 'Models', value: (r) => r.models.length, cell: (r) => <Names list={r.models} /> },
                { label: 'Last call', num: true, value: (r) => Date.parse(r.last_seen), cell: (r) => <Time t={r.last_seen} relative /> },
              ]}
            />
          )}
        </Loaded>
      </Panel>
      <Panel title="Models" note={p.filter.service ? `of ${p.filter.service}` : undefined}>
        <Loaded of={models} empty={(d) => d.length === 0 && 'No calls in this time range.'}>
          {(rows) => (
            <DataTable
              label="Models" rows={rows.filter((r) => !p.filter.model || r.model === p.filter.model)} rowKey={(r) => r.model + '\0' + r.provider} sort="-Calls" text={(r) => r.model + ' ' + r.provider} href={(r) => linkTo('latency', '', { model: r.model })}
              columns={[
                { label: 'Model', value: (r) => r.model, cell: (r) => <Name>{r.model}</Name> },
                { label: 'Provider', value: (r) => r.provider, cell: (r) => <Name>{r.provider}</Name> },
                { label: 'Anomalies', num: true, value: (r) => total(r.anomalies), cell: (r) => <Marks counts={r.anomalies} /> },
                { label: 'Calls', num: true, value: (r) => r.calls, cell: (r) => count(r.calls) },
                { label: 'Errors', num: true, value: (r) => r.error_rate, cell: (r) => percent(r.error_rate) },
                { label: 'Latency p95', num: true, value: (r) => r.latency_p95_ms, cell: (r) => millis(r.latency_p95_ms) },
                { label: 'First token p95', num: true, value: (r) => r.ttft_p95_ms, cell: (r) => millis(r.ttft_p95_ms) },
                { label: 'Tokens', num: true, value: (r) => r.total_tokens, cell: (r) => count(r.total_tokens) },
                { label: 'Cost', num: true, value: (r) => r.cost_usd, cell: (r) => usd(r.cost_usd) },
              ]}
            />
          )}
        </Loaded>
      </Panel>
    </>
  );
}

function Marks({ counts }: { counts: Counts }) {
  const w = worst(counts);
  if (!w) return <span class="muted">0</span>;
  return <span title={countsInWords(counts)} class="marks"><SeverityIcon severity={w} />{total(counts)}<span class="hidden"> ({countsInWords(counts)})</span></span>;
}

function Names(p: { list: string[] }) {
  const list = p.list.filter((n) => n);
  const shown = list.slice(0, 3).join(', ');
  return <span class="name names" title={list.slice(0, 50).join('\n')}>{shown}{list.length > 3 ? ` and ${list.length - 3} more` : ''}</span>;
}
