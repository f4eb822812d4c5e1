import { address } from '../api';
import { useQuery } from '../query';
import type { ViewProps } from '../stats';
import type { Component, Health } from '../types';
import { Loaded, Panel, Time } from '../ui';

const order = ['unhealthy', 'degraded', 'healthy'];
const marks: Record<string, string> = { healthy: '✓', degraded: '▲', unhealthy: '✕' };

/** The state of the collector and of each of its components. */
export function HealthView(_: ViewProps) {
  const health = useQuery<Health>(address('health'), 10);
  return (
    <Loaded of={health} height={300}>
      {(h) => (
        <>
          <section class={`status status-${{ healthy: 'ok', degraded: 'warning', unhealthy: 'critical' }[h.status]}`} aria-label="Health">
            <span class="status-icon" aria-hidden="true">{marks[h.status]}</span>
            <div>
              <p class="headline" role="status">{{ healthy: 'The collector is healthy', degraded: 'The collector is degraded', unhealthy: 'The collector is unhealthy' }[h.status]}</p>
              <p class="sub">Version {h.version}. {summary(h.components ?? [])}</p>
            </div>
          </section>
          <Panel title="Components">
            <div class="scroll">
              <table class="data" aria-label="Components">
                <thead><tr><th scope="col">Component</th><th scope="col">Kind</th><th scope="col">State</th><th scope="col">Since</th><th scope="col">Pipelines</th><th scope="col">Message</th></tr></thead>
                <tbody>
                  {[...(h.components ?? [])].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status)).map((c) => (
                    <tr key={c.kind + '\0' + c.name}>
                      <td><b>{c.name}</b></td>
                      <td>{c.kind}</td>
                      <td><span class={`state state-${c.status}`}><span aria-hidden="true">{marks[c.status]}</span> {c.state === 'ok' ? 'ok' : c.state.replaceAll('_', ' ')}</span></td>
                      <td>{c.since && <Time t={c.since} relative />}</td>
                      <td>{c.pipelines?.join(', ')}</td>
                      <td class="wide">{c.message}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Panel>
        </>
      )}
    </Loaded>
  );
}

function summary(list: Component[]): string {
  const bad = list.filter((c) => c.status !== 'healthy');
  return bad.length ? `${bad.length} of ${list.length} components need a look: ${bad.slice(0, 5).map((c) => c.name).join(', ')}.` : `All ${list.length} components are well.`;
}
