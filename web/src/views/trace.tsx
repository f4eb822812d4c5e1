import { AnomalyList, worstFirst } from '../anomalies';
import { address } from '../api';
import { count, millis, plural, usd } from '../format';
import { useQuery } from '../query';
import { linkTo, parseRoute } from '../router';
import type { ViewProps } from '../stats';
import type { Trace } from '../types';
import { Loaded, Panel, Time } from '../ui';
import { Waterfall } from '../waterfall';

/** All calls of one trace, or of one session. */
export function TraceView({ id }: ViewProps) {
  const session = parseRoute(location.hash).view === 'session';
  const trace = useQuery<Trace>(address(`api/v1/${session ? 'sessions' : 'traces'}/${encodeURIComponent(id)}`));
  return (
    <Loaded of={trace} height={300}>
      {(t) => {
        const conversation = t.events.find((e) => e.metadata.session_id)?.metadata.session_id;
        return (
          <>
            <p class="lead">
              <code>{id}</code>: {plural(t.calls, 'call')}{t.failed > 0 && `, ${count(t.failed)} failed`}, {count(t.total_tokens)} tokens, {usd(t.cost_usd)},{' '}
              {millis(Date.parse(t.end) - Date.parse(t.start))} from <Time t={t.start} />. {t.services.length > 0 && <>Services: {t.services.slice(0, 20).join(', ')}.</>}{' '}
              {!session && conversation && <a href={linkTo('session', conversation)}>The whole session</a>}
            </p>
            <Panel title="Calls" note={t.truncated ? `the first ${t.events.length}` : undefined}>
              <Waterfall events={t.events} />
            </Panel>
            {t.anomalies.length > 0 && (
              <Panel title="Anomalies in it">
                <AnomalyList list={worstFirst(t.anomalies)} label="Anomalies" />
              </Panel>
            )}
          </>
        );
      }}
    </Loaded>
  );
}
