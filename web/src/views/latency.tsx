import { useMemo } from 'preact/hooks';
import { count, millis, percent } from '../format';
import { useQuery } from '../query';
import { linkTo, setParams } from '../router';
import { PercentileChart, type Millis } from '../series';
import { anomaliesBySeries, anomaliesOf, seriesKey, statsOf, type ViewProps } from '../stats';
import { DataTable } from '../table';
import type { Anomaly, Stat } from '../types';
import { AnomalyList, worstFirst } from '../anomalies';
import { Loaded, Name, Panel, Segmented, SeverityIcon } from '../ui';
import { severities } from '../words';

// Charts of single series that are shown at once.
const maxSeries = 4;

export function LatencyView(p: ViewProps) {
  const metric: Millis = p.params.get('metric') === 'ttft_ms' ? 'ttft_ms' : 'latency_ms';
  const log = p.params.get('scale') === 'log';
  const one = p.filter.service !== '' && p.filter.model !== '';
  const series = useQuery<Stat[]>(statsOf(p.range, p.filter, 'service,model'), 30);
  const found = useQuery<Anomaly[]>(anomaliesOf(p.range, p.filter, 200), 30);
  const bySeries = useMemo(() => anomaliesBySeries((found.data ?? []).filter((a) => a.details.metric === metric)), [found.data, metric]);
  const rows = useMemo(
    () => (series.data ?? []).map((s) => {
      const service = s.group?.service ?? '';
      const model = s.group?.model ?? '';
      const list = worstFirst(bySeries.get(seriesKey(service, model)) ?? []);
      return { service, model, stat: s, list, rank: list.length ? severities.length - severities.indexOf(list[0].severity) : 0 };
    }),
    [series.data, bySeries],
  );
  const top = useMemo(
    () => rows.filter((r) => r.service && r.model && r.stat[metric].count > 0).sort((a, b) => b.rank - a.rank || b.list.length - a.list.length || b.stat.calls - a.stat.calls).slice(0, maxSeries),
    [rows, metric],
  );
  const related = useMemo(() => worstFirst((found.data ?? []).filter((a) => a.details.metric === metric)), [found.data, metric]);
  return (
    <>
      <div class="toolbar">
        <Segmented label="Metric" value={metric} choices={[{ value: 'latency_ms', label: 'Latency' }, { value: 'ttft_ms', label: 'Time to first token' }]} onChange={(v) => setParams({ metric: v === 'ttft_ms' ? v : null })} />
        <Segmented label="Scale" value={log ? 'log' : 'linear'} choices={[{ value: 'linear', label: 'Linear' }, { value: 'log', label: 'Logarithmic' }]} onChange={(v) => setParams({ scale: v === 'log' ? v : null })} />
      </div>
      <Panel title={one ? <>{p.filter.service} · {p.filter.model}</> : p.filter.service || p.filter.model || 'All calls'} note="drag to zoom">
        <PercentileChart range={p.range} filter={p.filter} metric={metric} log={log} height={one ? 320 : 220} />
      </Panel>
      {one && related.length > 0 && (
        <Panel title="Anomalies of this series">
          <AnomalyList list={related.slice(0, 20)} label="Anomalies of this series" />
        </Panel>
      )}
      {!one && top.length > 0 && (
        <div class="two">
          {top.map((r) => (
            <Panel
              key={seriesKey(r.service, r.model)}
              title={<a href={linkTo('latency', '', { service: r.service, model: r.model })}>{r.list.length > 0 && <SeverityIcon severity={r.list[0].severity} />}<Name>{`${r.service} · ${r.model}`}</Name></a>}
              note={`p95 ${millis(r.stat[metric].p95)}`}
            >
              <Small {...p} service={r.service} model={r.model} metric={metric} log={log} />
            </Panel>
          ))}
        </div>
      )}
      {!one && (
        <Panel title="All series" note="a row opens its chart with the expected band">
          <Loaded of={series} empty={(d) => d.length === 0 && 'No calls in this time range.'}>
            {() => (
              <DataTable
                label="Series" rows={rows} rowKey={(r) => seriesKey(r.service, r.model)} sort="-Anomalies" text={(r) => r.service + ' ' + r.model} href={(r) => linkTo('latency', '', { service: r.service || null, model: r.model || null })}
                columns={[
                  { label: 'Service', value: (r) => r.service, cell: (r) => <Name>{r.service}</Name> },
                  { label: 'Model', value: (r) => r.model, cell: (r) => <Name>{r.model}</Name> },
                  { label: 'Anomalies', num: true, value: (r) => r.rank * 1e6 + r.list.length, cell: (r) => (r.list.length ? <span class="marks"><SeverityIcon severity={r.list[0].severity} />{r.list.length}</span> : <span class="muted">0</span>) },
                  { label: 'Calls', num: true, value: (r) => r.stat.calls, cell: (r) => count(r.stat.calls) },
                  { label: 'Errors', num: true, value: (r) => r.stat.error_rate, cell: (r) => percent(r.stat.error_rate) },
                  { label: 'p50', num: true, value: (r) => r.stat[metric].p50, cell: (r) => known(r.stat, metric, 'p50') },
                  { label: 'p95', num: true, value: (r) => r.stat[metric].p95, cell: (r) => known(r.stat, metric, 'p95') },
                  { label: 'p99', num: true, value: (r) => r.stat[metric].p99, cell: (r) => known(r.stat, metric, 'p99') },
                  { label: 'Slowest', num: true, value: (r) => r.stat[metric].max, cell: (r) => known(r.stat, metric, 'max') },
                ]}
              />
            )}
          </Loaded>
        </Panel>
      )}
    </>
  );
}

function Small({ service, model, ...p }: ViewProps & { service: string; model: string; metric: Millis; log: boolean }) {
  const filter = useMemo(() => ({ service, model }), [service, model]);
  return <PercentileChart range={p.range} filter={filter} metric={p.metric} log={p.log} height={170} />;
}

function known(s: Stat, metric: Millis, of: 'p50' | 'p95' | 'p99' | 'max'): string {
  return millis(s[metric].count ? s[metric][of] : null);
}
