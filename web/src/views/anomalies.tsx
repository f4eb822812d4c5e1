import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { AnomalyList, worstFirst } from '../anomalies';
import { get } from '../api';
import { plural } from '../format';
import { useQuery } from '../query';
import { setParams } from '../router';
import { anomaliesOf, type ViewProps } from '../stats';
import type { Anomaly } from '../types';
import { Failure, Loaded, Panel, Segmented, Select } from '../ui';
import { anomalyTypes, severities } from '../words';

const pageSize = 100;
const maxShown = 1000;

export function AnomaliesView(p: ViewProps) {
  const severity = p.params.get('severity') ?? '';
  const type = p.params.get('type') ?? '';
  const confidence = p.params.get('confidence') ?? '';
  const order = p.params.get('order') === 'worst' ? 'worst' : 'newest';
  const url = anomaliesOf(p.range, p.filter, pageSize, { severity, anomaly_type: type, min_confidence: confidence });
  const first = useQuery<Anomaly[]>(url, 30);
  const more = useMore(url, first.metadata?.next_cursor as string | undefined);
  const list = useMemo(() => {
    const known = new Set<string>();
    const all = [...(first.data ?? []), ...more.list].filter((a) => !known.has(a.alert_id) && known.add(a.alert_id));
    return order === 'worst' ? worstFirst(all) : all;
  }, [first.data, more.list, order]);
  const total = first.metadata?.total_count as number | null | undefined;
  const types = type && !anomalyTypes[type] ? { ...anomalyTypes, [type]: type } : anomalyTypes;
  return (
    <>
      <div class="toolbar">
        <Segmented
          label="Severity" value={severity}
          choices={[{ value: '', label: 'All' }, ...severities.map((s) => ({ value: s, label: s }))]}
          onChange={(v) => setParams({ severity: v || null })}
        />
        <Select label="Type" value={type} choices={[{ value: '', label: 'all types' }, ...Object.entries(types).map(([value, label]) => ({ value, label }))]} onChange={(v) => setParams({ type: v || null })} />
        <Select label="Confidence" value={confidence} choices={[{ value: '', label: 'any' }, ...['0.5', '0.7', '0.9', '0.99'].map((c) => ({ value: c, label: `at least ${Number(c) * 100}%` }))]} onChange={(v) => setParams({ confidence: v || null })} />
        <Segmented label="Order" value={order} choices={[{ value: 'newest', label: 'Newest first' }, { value: 'worst', label: 'Worst first' }]} onChange={(v) => setParams({ order: v === 'worst' ? v : null })} />
        {(severity || type || confidence) && <button type="button" onClick={() => setParams({ severity: null, type: null, confidence: null })}>Clear filters</button>}
      </div>
      <Panel title={typeof total === 'number' ? plural(total, 'anomaly').replace('anomalys', 'anomalies') : 'Anomalies'} note={typeof total === 'number' && total > list.length ? `the newest ${list.length} are here` : undefined}>
        <Loaded of={first} height={300} empty={(d) => d.length === 0 && 'No anomaly matches these filters in this time range.'}>
          {() => <AnomalyList list={list} label="Anomalies" />}
        </Loaded>
        {more.error !== undefined && <Failure error={more.error} retry={more.load} />}
        {more.next && !first.stale && list.length < maxShown && (
          <button type="button" class="more" disabled={more.loading} onClick={more.load}>{more.loading ? 'Loading' : `Show ${pageSize} more`}</button>
        )}
        {more.next && list.length >= maxShown && <p class="hint">{maxShown} anomalies are shown. Narrow the filters or the time to see others.</p>}
      </Panel>
    </>
  );
}

/** Further pages behind the first one, by the cursor of the interface. */
function useMore(url: string, firstCursor: string | undefined) {
  const [pages, setPages] = useState<{ url: string; list: Anomaly[]; next?: string }>({ url, list: [] });
  const [loading, setLoading] = useState(false);
  const [error, setError] = useState<unknown>();
  const current = useRef(url);
  current.current = url;
  useEffect(() => setError(undefined), [url]);
  const mine = pages.url === url && pages.list.length > 0;
  const next = mine ? pages.next : firstCursor;
  const load = async () => {
    if (!next || loading) return;
    setLoading(true);
    setError(undefined);
    try {
      const a = await get<Anomaly[]>(`${url}&cursor=${encodeURIComponent(next)}`);
      if (current.current === url) setPages({ url, list: [...(mine ? pages.list : []), ...a.data], next: a.metadata?.next_cursor as string | undefined });
    } catch (e) {
      if (current.current === url) setError(e);
    }
    setLoading(false);
  };
  return { list: mine ? pages.list : noAnomalies, next, loading, error, load };
}

const noAnomalies: Anomaly[] = [];
