import { useEffect, useRef, useState } from 'preact/hooks';
import { AnomalyList } from '../anomalies';
import { address } from '../api';
import { plural } from '../format';
import { setParams } from '../router';
import type { ViewProps } from '../stats';
import type { Anomaly } from '../types';
import { Panel, Select } from '../ui';
import { severities } from '../words';

const maxShown = 200;

type State = 'connecting' | 'open' | 'lost';

/** New anomalies as they are found. While paused they wait, and are counted. */
export function LiveView({ filter, params }: ViewProps) {
  const severity = params.get('severity') ?? '';
  const [state, setState] = useState<State>('connecting');
  const [shown, setShown] = useState<Anomaly[]>([]);
  const [waiting, setWaiting] = useState<Anomaly[]>([]);
  const [missed, setMissed] = useState(0);
  const [paused, setPaused] = useState(false);
  const pausedNow = useRef(false);
  pausedNow.current = paused;
  const url = address('api/v1/stream', { ...filter, severity });

  useEffect(() => {
    setState('connecting');
    setShown([]);
    setWaiting([]);
    setMissed(0);
    const source = new EventSource(url);
    source.onopen = () => setState('open');
    // The browser tries again by itself, unless the server refused.
    source.onerror = () => setState(source.readyState === EventSource.CLOSED ? 'lost' : 'connecting');
    source.addEventListener('anomaly', (e) => {
      let a: Anomaly;
      try {
        a = JSON.parse((e as MessageEvent<string>).data) as Anomaly;
      } catch {
        setMissed((n) => n + 1);
        return;
      }
      const add = (list: Anomaly[]) => [a, ...list.filter((b) => b.alert_id !== a.alert_id)].slice(0, maxShown);
      (pausedNow.current ? setWaiting : setShown)(add);
    });
    source.addEventListener('missed', (e) => {
      try {
        setMissed((n) => n + ((JSON.parse((e as MessageEvent<string>).data) as { count: number }).count || 0));
      } catch {
        setMissed((n) => n + 1);
      }
    });
    return () => source.close();
  }, [url]);

  const toggle = () => {
    if (paused) {
      setShown((list) => [...waiting, ...list].slice(0, maxShown));
      setWaiting([]);
    }
    setPaused(!paused);
  };
  const words = { connecting: 'Connecting', open: 'Connected', lost: 'The stream was refused' }[state];
  return (
    <>
      <div class="toolbar">
        <span class={`stream stream-${paused ? 'paused' : state}`} role="status">{paused ? `Paused, ${waiting.length >= maxShown ? 'more than ' : ''}${plural(waiting.length, 'new one')} waiting` : words}</span>
        <button type="button" aria-pressed={paused} onClick={toggle}>{paused ? 'Continue' : 'Pause'}</button>
        <Select label="Severity" value={severity} choices={[{ value: '', label: 'all' }, ...severities.map((s) => ({ value: s, label: s }))]} onChange={(v) => setParams({ severity: v || null })} />
        {shown.length > 0 && <button type="button" onClick={() => setShown([])}>Clear</button>}
      </div>
      <Panel title="New anomalies" note={shown.length >= maxShown ? `the newest ${maxShown}` : undefined}>
        {state === 'lost' && <p class="hint">This collector sends no live alerts: too many streams are open, or its storage cannot tell what is new. The list under Anomalies is complete.</p>}
        {missed > 0 && <p class="hint">{plural(missed, 'anomaly').replace('anomalys', 'anomalies')} came faster than this page could take them. The list under Anomalies is complete.</p>}
        <div aria-live="polite" aria-relevant="additions">
          {shown.length > 0 && <AnomalyList list={shown} label="New anomalies, newest first" />}
        </div>
        {shown.length === 0 && state !== 'lost' && <p class="hint">Nothing new since this view was opened. Anomalies appear here within a second of being stored.</p>}
      </Panel>
    </>
  );
}
