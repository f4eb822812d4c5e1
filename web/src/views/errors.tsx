import { useMemo } from 'preact/hooks';
import { address } from '../api';
import { Chart } from '../chart';
import { count, millis, percent } from '../format';
import { useQuery } from '../query';
import { rangeParams, stepFor } from '../range';
import { linkTo } from '../router';
import { zoom } from '../series';
import { align, bucketTimes, pick, seriesKey, statsOf, statsOverTime, type ViewProps } from '../stats';
import { DataTable } from '../table';
import type { Event, Stat } from '../types';
import { arrowKeys, Loaded, Name, Panel, Time } from '../ui';

const recent = 50;

export function ErrorsView(p: ViewProps) {
  const over = useQuery<Stat[]>(statsOverTime(p.range, p.filter), 30);
  const series = useQuery<Stat[]>(statsOf(p.range, p.filter, 'service,model'), 30);
  const failed = useQuery<Event[]>(address('api/v1/telemetry', { ...rangeParams(p.range), ...p.filter, failed: true, limit: recent }), 30);
  const step = stepFor(p.range, 120);
  const time = useMemo(() => bucketTimes(p.range, step), [p.range, step]);
  const rows = useMemo(() => align(over.data ?? [], time), [over.data, time]);
  const rate = useMemo(() => [{ label: 'error rate', color: '--p99', fill: true, values: pick(rows, (s) => (s.calls ? s.failed / s.calls : null)) }], [rows]);
  const bars = useMemo(() => [{ label: 'failed calls', color: '--cat2', bars: true, values: rows.map((s) => s?.failed ?? 0) }], [rows]);
  const bad = useMemo(() => (series.data ?? []).filter((s) => s.failed > 0), [series.data]);
  const none = (d: Stat[]) => (d.length === 0 ? 'No calls in this time range.' : !d.some((s) => s.failed) && 'No call failed in this time range.');
  return (
    <>
      <div class="two">
        <Panel title="Error rate">
          <Loaded of={over} height={240} empty={none}>
            {() => <Chart label="Share of failed calls" time={time} lines={rate} format={percent} from={p.range.from} to={p.range.to} height={200} onZoom={zoom} sync="errors" />}
          </Loaded>
        </Panel>
        <Panel title="Failed calls">
          <Loaded of={over} height={240} empty={none}>
            {() => <Chart label="Number of failed calls" whole time={time} lines={bars} format={count} from={p.range.from} to={p.range.to} height={200} onZoom={zoom} sync="errors" />}
          </Loaded>
        </Panel>
      </div>
      <Panel title="Where calls fail">
        <Loaded of={series} empty={none}>
          {() => (
            <DataTable
              label="Series with failed calls" rows={bad} rowKey={(r) => seriesKey(r.group?.service ?? '', r.group?.model ?? '')} sort="-Failed" text={(r) => `${r.group?.service} ${r.group?.model}`}
              href={(r) => linkTo('errors', '', { service: r.group?.service || null, model: r.group?.model || null })}
              columns={[
                { label: 'Service', value: (r) => r.group?.service ?? '', cell: (r) => <Name>{r.group?.service ?? ''}</Name> },
                { label: 'Model', value: (r) => r.group?.model ?? '', cell: (r) => <Name>{r.group?.model ?? ''}</Name> },
                { label: 'Failed', num: true, value: (r) => r.failed, cell: (r) => count(r.failed) },
                { label: 'Calls', num: true, value: (r) => r.calls, cell: (r) => count(r.calls) },
                { label: 'Error rate', num: true, value: (r) => r.error_rate, cell: (r) => percent(r.error_rate) },
              ]}
            />
          )}
        </Loaded>
      </Panel>
      <Panel title="Newest failed calls" note={failed.data && failed.data.length >= recent ? `the newest ${recent}` : undefined}>
        <Loaded of={failed} empty={(d) => d.length === 0 && 'No call failed in this time range.'}>
          {(list) => (
            <div class="scroll">
              <table class="data" aria-label="Newest failed calls" onKeyDown={arrowKeys}>
                <thead><tr><th scope="col">Time</th><th scope="col">Service</th><th scope="col">Model</th><th scope="col">Error</th><th scope="col" class="num">After</th></tr></thead>
                <tbody>
                  {list.map((e) => (
                    <tr key={e.event_id}>
                      <td>{e.trace_id ? <a class="row-link" data-row href={linkTo('trace', e.trace_id)}><Time t={e.timestamp} /></a> : <Time t={e.timestamp} />}</td>
                      <td><Name>{e.service_name}</Name></td>
                      <td><Name>{e.model}</Name></td>
                      <td class="wide" title={e.errors.join('\n')}>{e.metadata.error_type && e.errors[0] !== e.metadata.error_type && <b>{e.metadata.error_type}: </b>}{e.errors[0]}</td>
                      <td class="num">{millis(e.latency_ms)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Loaded>
      </Panel>
    </>
  );
}
