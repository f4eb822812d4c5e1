import { useEffect, useState } from 'preact/hooks';

// The view and its filters are kept behind the # of the address: a link shows
// what its sender saw, and the server has one page only.

export interface Route {
  view: string;
  /** What the view is about, for example the id of an anomaly. */
  id: string;
  params: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const [path, query] = hash.replace(/^#\/?/, '').split('?', 2);
  const slash = path.indexOf('/');
  const view = slash < 0 ? path : path.slice(0, slash);
  let id = slash < 0 ? '' : path.slice(slash + 1);
  try {
    id = decodeURIComponent(id);
  } catch {
    // Not percent-encoded: take it as it is.
  }
  return { view: view || 'overview', id, params: new URLSearchParams(query ?? '') };
}

// These stay when another view is opened.
const kept = ['range', 'start', 'end', 'service', 'model'];

/** The address of a view. Global filters stay unless params replace them; null takes one away. */
export function linkTo(view: string, id = '', params: Record<string, string | null | undefined> = {}): string {
  const now = parseRoute(location.hash).params;
  const q = new URLSearchParams();
  for (const k of kept) if (now.get(k)) q.set(k, now.get(k)!);
  for (const [k, v] of Object.entries(params)) {
    if (v) q.set(k, v);
    else q.delete(k);
  }
  const text = q.toString();
  return `#/${view === 'overview' ? '' : view}${id ? '/' + encodeURIComponent(id) : ''}${text ? '?' + text : ''}`;
}

/** Changes parameters of the present view, without a new entry in the history. */
export function setParams(params: Record<string, string | null | undefined>) {
  const { view, id, params: q } = parseRoute(location.hash);
  for (const [k, v] of Object.entries(params)) {
    if (v) q.set(k, v);
    else q.delete(k);
  }
  const text = q.toString();
  const hash = `#/${view === 'overview' ? '' : view}${id ? '/' + encodeURIComponent(id) : ''}${text ? '?' + text : ''}`;
  history.replaceState(null, '', hash);
  window.dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parseRoute(location.hash));
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, []);
  return route;
}
