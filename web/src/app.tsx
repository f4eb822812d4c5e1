import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Header } from './header';
import { handleKey, Help } from './keys';
import { rangeOf } from './range';
import { linkTo, useRoute } from './router';
import type { ViewProps } from './stats';
import { AnomaliesView } from './views/anomalies';
import { AnomalyView } from './views/anomaly';
import { BaselinesView } from './views/baselines';
import { ErrorsView } from './views/errors';
import { HealthView } from './views/health';
import { LatencyView } from './views/latency';
import { LiveView } from './views/live';
import { OverviewView } from './views/overview';
import { ServicesView } from './views/services';
import { TraceView } from './views/trace';
import { UsageView } from './views/usage';

interface View {
  title: string;
  show: (p: ViewProps) => JSX.Element;
  /** Views without a place in the menu belong to one that has. */
  under?: string;
  icon?: string;
}

const views: Record<string, View> = {
  overview: { title: 'Overview', show: OverviewView, icon: 'M2 2h5v7H2zM9 2h5v4H9zM9 8h5v6H9zM2 11h5v3H2z' },
  services: { title: 'Services × models', show: ServicesView, icon: 'M2 2h3.4v3.4H2zM6.3 2h3.4v3.4H6.3zM10.6 2H14v3.4h-3.4zM2 6.3h3.4v3.4H2zM6.3 6.3h3.4v3.4H6.3zM10.6 6.3H14v3.4h-3.4zM2 10.6h3.4V14H2zM6.3 10.6h3.4V14H6.3zM10.6 10.6H14V14h-3.4z' },
  latency: { title: 'Latency', show: LatencyView, icon: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.6a5.4 5.4 0 1 1 0 10.8A5.4 5.4 0 0 1 8 2.6zM7.2 4v4.4l3.2 1.9.8-1.3-2.4-1.4V4z' },
  usage: { title: 'Tokens and cost', show: UsageView, icon: 'M2 13h12v1.5H2zM3 7h2.4v5H3zM6.8 3h2.4v9H6.8zM10.6 5.5H13V12h-2.4z' },
  errors: { title: 'Errors', show: ErrorsView, icon: 'M8 1l7.5 13.5H.5zM7.2 6l.3 4h1l.3-4zM7.2 11.2h1.6v1.6H7.2z' },
  anomalies: { title: 'Anomalies', show: AnomaliesView, icon: 'M1 9h3l2-5.5L9 13l2-6 1 2h3V7.5h-2.1L11 3.8 9 9.5 6.2.9 3 7.5H1z' },
  live: { title: 'Live alerts', show: LiveView, icon: 'M8 6a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM4.5 4.5l-1-1a6.4 6.4 0 0 0 0 9l1-1a5 5 0 0 1 0-7zm7 0l1-1a6.4 6.4 0 0 1 0 9l-1-1a5 5 0 0 0 0-7z' },
  baselines: { title: 'Baselines', show: BaselinesView, icon: 'M1 5c3-4 5 3 8 0s4-1 6-2v2c-2 1-3 0-6 2s-5-3-8 1zM1 11c3-4 5 3 8 0s4-1 6-2v2c-2 1-3 0-6 2s-5-3-8 1z' },
  health: { title: 'Health', show: HealthView, icon: 'M8 14S1.5 10 1.5 5.8A3.3 3.3 0 0 1 8 4.3a3.3 3.3 0 0 1 6.5 1.5C14.5 10 8 14 8 14z' },
  anomaly: { title: 'Anomaly', show: AnomalyView, under: 'anomalies' },
  trace: { title: 'Trace', show: TraceView, under: 'anomalies' },
  session: { title: 'Session', show: TraceView, under: 'anomalies' },
};

/** How often the end of a range that ends now is moved. */
const tickMillis = 15_000;

export function App() {
  const route = useRoute();
  const view = views[route.view];
  const [tick, setTick] = useState(0);
  const [help, setHelp] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const first = useRef(true);
  const query = route.params.toString();

  useEffect(() => {
    // The page answers from here on; the browser test reads this mark.
    performance.mark('sentinel:interactive');
    const timer = setInterval(() => document.hidden || setTick((n) => n + 1), tickMillis);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    const pressed = (e: KeyboardEvent) => handleKey(e, route, () => setHelp(true));
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, [route]);
  useEffect(() => {
    document.title = `${view?.title ?? 'Not found'} · LLM-Sentinel`;
    // Whoever opens another view by keyboard or screen reader continues there.
    // Who already types in the header is left alone.
    if (!first.current && !document.activeElement?.closest('.top')) {
      heading.current?.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    first.current = false;
  }, [route.view, route.id]);

  const range = useMemo(() => rangeOf(route.params), [query, tick]);
  const service = route.params.get('service') ?? '';
  const model = route.params.get('model') ?? '';
  const filter = useMemo(() => ({ service, model }), [service, model]);
  const Show = view?.show;
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); heading.current?.focus(); }}>
        Skip to the content
      </a>
      <Header range={range} filter={filter} onHelp={() => setHelp(true)} />
      <nav aria-label="Views">
        <ul>
          {Object.entries(views).map(([name, v]) => v.icon && (
            <li key={name}>
              <a href={linkTo(name)} title={v.title} aria-current={name === (view?.under ?? route.view) ? 'page' : undefined}>
                <svg viewBox="0 0 16 16" aria-hidden="true"><path d={v.icon} fill-rule="evenodd" /></svg>
                <span>{v.title}</span>
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main id="main">
        <h1 ref={heading} tabIndex={-1} class={route.view === 'overview' ? 'hidden' : undefined}>{view?.title ?? 'There is no such view'}</h1>
        {Show ? <Show key={route.view + route.id} id={route.id} params={route.params} range={range} filter={filter} /> : <p><a href={linkTo('overview')}>Go to the overview</a></p>}
      </main>
      {help && <Help close={() => setHelp(false)} />}
    </>
  );
}
