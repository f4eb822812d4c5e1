import { useMemo } from 'preact/hooks';
import { address } from '../api';
import { Chart } from '../chart';
import { count, metricName, metricValue } from '../format';
import { useQuery } from '../query';
import { type Range, rangeParams } from '../range';
import { linkTo } from '../router';
import { zoom } from '../series';
import type { ViewProps } from '../stats';
import { DataTable } from '../table';
import type { Baseline, BaselineHistory } from '../types';
import { Loaded, Name, Panel, Time } from '../ui';

const limit = 1000;

/** What the engine holds for normal, and how that changed. */
export function BaselinesView({ id, range, filter }: ViewProps) {
  const list = useQuery<Baseline[]>(address('api/v1/baselines', { ...filter, limit }), 60);
  return (
    <>
      {id && <History id={id} range={range} />}
      <Panel title="What is normal" note={list.data && list.data.length >= limit ? `the first ${limit} series; filter by service or model to see others` : 'newest baseline of each series'}>
        <Loaded of={list} empty={(d) => d.length === 0 && 'Nothing has been learned yet. The first baseline is there after 16 calls of a service and model.'}>
          {(rows) => (
            <DataTable
              label="Baselines" rows={rows} rowKey={(r) => r.key + '\0' + (r.engine ?? '')} sort="Service" text={(r) => `${r.service} ${r.model} ${r.metric}`} href={(r) => linkTo('baselines', r.key)} current={(r) => r.key === id}
              columns={[
                { label: 'Service', value: (r) => `${r.service}\0${r.model}\0${r.metric}`, cell: (r) => <Name>{r.service}</Name> },
                { label: 'Model', value: (r) => r.model, cell: (r) => <Name>{r.model}</Name> },
                { label: 'Metric', value: (r) => r.metric, cell: (r) => metricName(r.metric) },
                { label: 'Expected', num: true, value: (r) => r.expected, cell: (r) => metricValue(r.metric, r.expected) },
                { label: 'Normal from', num: true, value: (r) => r.lower, cell: (r) => metricValue(r.metric, r.lower) },
                { label: 'to', num: true, value: (r) => r.upper, cell: (r) => metricValue(r.metric, r.upper) },
                { label: 'Samples', num: true, value: (r) => r.samples, cell: (r) => count(r.samples) },
                { label: 'As of', num: true, value: (r) => Date.parse(r.time), cell: (r) => <Time t={r.time} relative /> },
              ]}
            />
          )}
        </Loaded>
      </Panel>
    </>
  );
}

function History({ id, range }: { id: string; range: Range }) {
  const history = useQuery<BaselineHistory>(address('api/v1/baselines/' + encodeURIComponent(id), rangeParams(range)), 60);
  const view = useMemo(() => {
    const points = history.data?.points ?? [];
    return {
      time: points.map((p) => Date.parse(p.time) / 1000),
      lines: [{ label: 'expected', color: '--p50', values: points.map((p) => p.expected ?? null) }],
      band: { label: 'normal for one call', lower: points.map((p) => p.lower ?? null), upper: points.map((p) => p.upper ?? null) },
    };
  }, [history.data]);
  const h = history.data;
  return (
    <Panel title={h ? `${h.service} · ${h.model} · ${metricName(h.metric)}` : 'Baseline'} actions={<a href={linkTo('baselines')}>Close</a>}>
      <Loaded of={history} height={270} empty={(d) => d.points.length === 0 && 'Nothing was learned of this series in this time range.'}>
        {(d) => <Chart label={`Expected ${metricName(d.metric)} over time, with the normal band`} {...view} format={(v) => metricValue(d.metric, v)} from={range.from} to={range.to} height={240} log={!d.metric.endsWith('_rate')} onZoom={zoom} />}
      </Loaded>
    </Panel>
  );
}
