import { useEffect, useRef } from 'preact/hooks';
import { linkTo, type Route } from './router';

const order = ['overview', 'services', 'latency', 'usage', 'errors', 'anomalies', 'live', 'baselines', 'health'];

/** Keys of the whole page. Where somebody types, they are text. */
export function handleKey(e: KeyboardEvent, route: Route, help: () => void) {
  if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
  const target = e.target as HTMLElement;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
  if (e.key === 'Escape') {
    if (typing) target.blur();
    else if (document.querySelector('dialog[open]')) return;
    else if (route.view === 'anomaly' || route.view === 'trace' || route.view === 'session') history.length > 1 ? history.back() : (location.hash = linkTo('anomalies'));
    return;
  }
  if (typing || document.querySelector('dialog[open]')) return;
  if (e.key === '/') {
    e.preventDefault();
    (document.querySelector<HTMLElement>('main [data-filter]') ?? document.querySelector<HTMLElement>('[data-filter]'))?.focus();
  } else if (e.key === '?') {
    help();
  } else if (e.key >= '1' && e.key <= String(order.length)) {
    location.hash = linkTo(order[Number(e.key) - 1]);
  } else if (e.key === 'ArrowDown' && (target === document.body || target.tagName === 'H1')) {
    const row = document.querySelector<HTMLElement>('main [data-row]');
    if (row) {
      e.preventDefault();
      row.focus();
    }
  }
}

export function Help({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const keys: [string, string][] = [
    ['/', 'filter'],
    ['1 to 9', 'open a view'],
    ['↓ ↑', 'move in a list; Home and End go to its ends'],
    ['Enter', 'open what has the focus'],
    ['← →', 'in a chart: move through time and hear the values'],
    ['Esc', 'leave a field, close this, go back from a detail'],
    ['?', 'this list'],
  ];
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {keys.map(([k, what]) => (
          <div key={k}>
            <dt><kbd>{k}</kbd></dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">Drag over a chart to look at a shorter time. Times are local; point at one to see UTC.</p>
      <form method="dialog"><button>Close</button></form>
    </dialog>
  );
}
