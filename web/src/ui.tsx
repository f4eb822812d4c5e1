import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, inWords, serverNow } from './api';
import { ago, localTime, utcTime } from './format';
import type { Query } from './query';
import type { Severity } from './types';

// Small parts that every view uses.

const shapes: Record<Severity, JSX.Element> = {
  // Told apart by shape, too: colour alone does not reach everybody.
  critical: <path d="M5 1h6l4 4v6l-4 4H5l-4-4V5zM7.1 4l.3 5h1.2l.3-5zM7.2 10.4h1.6V12H7.2z" fill-rule="evenodd" />,
  high: <path d="M8 1.5l7 13H1z" />,
  medium: <path d="M8 1l7 7-7 7-7-7z" />,
  low: <circle cx="8" cy="8" r="5.5" />,
};

export function SeverityIcon({ severity }: { severity: Severity }) {
  return (
    <svg class={`sev-icon sev-${severity}`} viewBox="0 0 16 16" aria-hidden="true">
      {shapes[severity] ?? shapes.low}
    </svg>
  );
}

export function SeverityBadge({ severity }: { severity: Severity }) {
  return (
    <span class={`badge sev-${severity}`}>
      <SeverityIcon severity={severity} />
      {severity}
    </span>
  );
}

/** A time in the zone of the reader, with UTC when pointed at. */
export function Time({ t, relative, seconds = true }: { t: string | number; relative?: boolean; seconds?: boolean }) {
  const valid = !Number.isNaN(new Date(t).getTime());
  return (
    <time dateTime={valid ? new Date(t).toISOString() : undefined} title={`${localTime(t)} local\n${utcTime(t)}`}>
      {relative ? ago(t, serverNow()) : localTime(t, seconds)}
    </time>
  );
}

interface PanelProps {
  title: ComponentChildren;
  id?: string;
  note?: ComponentChildren;
  actions?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

let panels = 0;

export function Panel({ title, note, actions, children, ...rest }: PanelProps) {
  const id = useRef(rest.id ?? `panel-${++panels}`).current;
  return (
    <section class={'panel ' + (rest.class ?? '')} aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        {note && <span class="note">{note}</span>}
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** Why something cannot be shown, with a way out. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  if (error instanceof ApiError && error.unsupported) {
    return <p class="hint">The storage backend of this collector cannot answer this ({error.message}). Everything else works.</p>;
  }
  return (
    <div class="failure" role="alert">
      <p>{inWords(error)}</p>
      {error instanceof ApiError && error.code === 'storage_unavailable' && <a href="#/health">Health</a>}
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

interface LoadedProps<T> {
  of: Query<T>;
  empty?: (data: T) => ComponentChildren | false;
  /** Height while nothing is there yet, so that nothing jumps. */
  height?: number;
  children: (data: T) => ComponentChildren;
}

/** Shows an answer, and in its place that it is loading, failed or is empty. */
export function Loaded<T>({ of: q, empty, height = 120, children }: LoadedProps<T>) {
  if (q.data === undefined || (q.stale && q.error)) {
    if (q.error) return <Failure error={q.error} retry={q.retry} />;
    return (
      <div class="loading" style={{ minHeight: `${height}px` }} role="status">
        <span class="hidden">Loading</span>
      </div>
    );
  }
  const nothing = empty?.(q.data);
  return (
    <div class={q.stale ? 'stale' : undefined} aria-busy={q.stale}>
      {q.error !== undefined && <Failure error={q.error} retry={q.retry} />}
      {nothing ? <div class="hint">{nothing}</div> : children(q.data)}
    </div>
  );
}

export function Copy({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [state, setState] = useState('');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState('Copied');
    } catch {
      // Without TLS or permission there is no clipboard: the text can be marked by hand.
      setState('Press Ctrl+C in the text');
    }
  };
  useEffect(() => {
    if (!state) return;
    const timer = setTimeout(() => setState(''), 2500);
    return () => clearTimeout(timer);
  }, [state]);
  return (
    <button type="button" class="copy" onClick={copy} aria-live="polite">
      {state || label}
    </button>
  );
}

/** Moves the focus among the rows of a list with the arrow keys, Home and End. */
export function arrowKeys(e: KeyboardEvent) {
  const list = e.currentTarget as HTMLElement;
  const rows = [...list.querySelectorAll<HTMLElement>('[data-row]')];
  const at = rows.indexOf((e.target as HTMLElement).closest('[data-row]') as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[e.key];
  if (to === undefined || at < 0 || !rows[to]) return;
  e.preventDefault();
  rows[to].focus();
}

interface Choice {
  value: string;
  label: string;
}

export function Segmented({ label, value, choices, onChange }: { label: string; value: string; choices: Choice[]; onChange: (v: string) => void }) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {choices.map((c) => (
        <button type="button" key={c.value} aria-pressed={c.value === value} onClick={() => onChange(c.value)}>
          {c.label}
        </button>
      ))}
    </div>
  );
}

export function Select({ label, value, choices, onChange, hideLabel }: { label: string; value: string; choices: Choice[]; onChange: (v: string) => void; hideLabel?: boolean }) {
  return (
    <label class="field">
      <span class={hideLabel ? 'hidden' : undefined}>{label}</span>
      <select value={value} onChange={(e) => onChange(e.currentTarget.value)}>
        {choices.map((c) => (
          <option key={c.value} value={c.value} selected={c.value === value}>
            {c.label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A name that may be long, empty or hostile: cut by the layout, whole when pointed at. */
export function Name({ children, missing = 'unknown' }: { children: string; missing?: string }) {
  if (!children) return <i class="muted">{missing}</i>;
  return (
    <span class="name" title={children}>
      {children}
    </span>
  );
}
