import { useMemo } from 'preact/hooks';
import { millis, percent, plural, usd } from './format';
import { useQuery } from './query';
import { linkTo } from './router';
import { anomaliesBySeries, anomaliesOf, seriesKey, statsOf, type ViewProps } from './stats';
import type { Anomaly, Counts, Stat } from './types';
import { Loaded, Name, SeverityIcon } from './ui';
import { countsInWords, worst } from './words';

export type Heat = 'anomalies' | 'errors' | 'p95' | 'cost';

export const heats: { value: Heat; label: string }[] = [
  { value: 'anomalies', label: 'Anomalies' },
  { value: 'errors', label: 'Error rate' },
  { value: 'p95', label: 'Latency p95' },
  { value: 'cost', label: 'Cost' },
];

// The newest anomalies that the cells are coloured by.
const newest = 500;

interface Cell {
  service: string;
  model: string;
  stat?: Stat;
  anomalies: Anomaly[];
}

interface Grid {
  services: string[];
  models: string[];
  cells: Map<string, Cell>;
  hidden: number;
}

function gridOf(stats: Stat[], anomalies: Anomaly[], maxServices: number, maxModels: number): Grid {
  const found = anomaliesBySeries(anomalies);
  const cells = new Map<string, Cell>();
  const weight = { service: new Map<string, number>(), model: new Map<string, number>() };
  const add = (service: string, model: string, stat?: Stat) => {
    const k = seriesKey(service, model);
    const list = found.get(k) ?? [];
    if (cells.has(k)) return;
    cells.set(k, { service, model, stat, anomalies: list });
    // What is anomalous comes before what is busy.
    const w = list.length * 1e9 + (stat?.calls ?? 0);
    weight.service.set(service, (weight.service.get(service) ?? 0) + w);
    weight.model.set(model, (weight.model.get(model) ?? 0) + w);
  };
  for (const s of stats) add(s.group?.service ?? '', s.group?.model ?? '', s);
  for (const l of found.values()) add(l[0].service_name, l[0].model);
  const top = (m: Map<string, number>, n: number) => [...m].sort((a, b) => b[1] - a[1]).slice(0, n).map(([k]) => k);
  const services = top(weight.service, maxServices);
  const models = top(weight.model, maxModels);
  const hidden = weight.service.size - services.length + (weight.model.size - models.length);
  return { services, models, cells, hidden };
}

function countsOf(list: Anomaly[]): Counts {
  const c: Counts = {};
  for (const a of list) c[a.severity] = (c[a.severity] ?? 0) + 1;
  return c;
}

/** From 0 (nothing) to 5, for the colour of a cell. */
function levelOf(heat: Heat, c: Cell, high: number): number {
  const s = c.stat;
  if (heat === 'anomalies') {
    const w = worst(countsOf(c.anomalies));
    return w ? { low: 1, medium: 2, high: 4, critical: 5 }[w] : 0;
  }
  if (!s) return 0;
  if (heat === 'errors') return s.error_rate ? Math.min(5, 1 + Math.floor(Math.log10(Math.max(s.error_rate, 0.001) / 0.001) * 1.7)) : 0;
  const v = heat === 'p95' ? s.latency_ms.p95 ?? 0 : s.cost_usd ?? 0;
  return high > 0 && v > 0 ? Math.max(1, Math.min(5, Math.ceil((v / high) * 5))) : 0;
}

/** Services down, models across. Each cell leads to the latency of its series. */
export function Matrix({ range, filter, heat, services = 40, models = 14, fit }: ViewProps & { heat: Heat; services?: number; models?: number; fit?: boolean }) {
  const stats = useQuery<Stat[]>(statsOf(range, filter, 'service,model'), 30);
  const anomalies = useQuery<Anomaly[]>(anomaliesOf(range, filter, newest), 30);
  const grid = useMemo(
    () => gridOf(stats.data ?? [], anomalies.data ?? [], services, models),
    [stats.data, anomalies.data, services, models],
  );
  const high = Math.max(0, ...[...grid.cells.values()].map((c) => (heat === 'p95' ? c.stat?.latency_ms.p95 : c.stat?.cost_usd) ?? 0));
  const many = (anomalies.data?.length ?? 0) >= newest;
  return (
    <Loaded of={stats} height={160} empty={() => grid.cells.size === 0 && 'No calls in this time range.'}>
      {() => (
        <>
          <div class="scroll">
            <table class={fit ? 'matrix fit' : 'matrix'} aria-label="Services by models">
              <thead>
                <tr>
                  <td />
                  {grid.models.map((m) => (
                    <th scope="col" key={m}>
                      <Name>{m}</Name>
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {grid.services.map((s) => (
                  <tr key={s}>
                    <th scope="row">
                      <a href={linkTo('latency', '', { service: s })}>
                        <Name>{s}</Name>
                      </a>
                    </th>
                    {grid.models.map((m) => <MatrixCell key={m} cell={grid.cells.get(seriesKey(s, m))} heat={heat} high={high} />)}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {(grid.hidden > 0 || many) && (
            <p class="hint">
              {grid.hidden > 0 && `${plural(grid.hidden, 'quieter row or column')} left out; narrow the filter above to see others. `}
              {many && `Coloured by the newest ${newest} anomalies of the range.`}
            </p>
          )}
          {anomalies.error !== undefined && <p class="hint">Anomalies could not be read; the cells do not show them.</p>}
        </>
      )}
    </Loaded>
  );
}

function MatrixCell({ cell, heat, high }: { cell?: Cell; heat: Heat; high: number }) {
  if (!cell) return <td class="none" aria-label="no calls" />;
  const s = cell.stat;
  const c = countsOf(cell.anomalies);
  const w = worst(c);
  const what = `${cell.service}, ${cell.model}: ${s ? plural(s.calls, 'call') : 'no calls'}, ${percent(s?.error_rate)} failed, p95 ${millis(s?.latency_ms.p95)}, ${usd(s?.cost_usd)}, anomalies: ${countsInWords(c)}`;
  const main = {
    anomalies: w ? String(cell.anomalies.length) : 'ok',
    errors: percent(s?.error_rate),
    p95: s?.latency_ms.count ? millis(s.latency_ms.p95) : '–',
    cost: s?.priced_calls ? usd(s.cost_usd) : '–',
  }[heat];
  return (
    <td class={`heat ${heat === 'anomalies' && w ? 'sev-' + w : 'h' + levelOf(heat, cell, high)}`}>
      <a href={linkTo('latency', '', { service: cell.service, model: cell.model })} title={what.replaceAll(', ', '\n')} aria-label={what}>
        <b>
          {w && <SeverityIcon severity={w} />}
          {main}
        </b>
        <small>{s ? plural(s.calls, 'call') : 'silent'}</small>
      </a>
    </td>
  );
}
