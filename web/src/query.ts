import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, ApiError, get } from './api';

export interface Query<T> {
  /** The newest answer, also while the next one is on its way. */
  data?: T;
  metadata?: Record<string, unknown>;
  error?: unknown;
  loading: boolean;
  /** The data are those of an earlier question. */
  stale: boolean;
  retry: () => void;
}

// Answers of the views seen last, so that going back shows something at once.
const remembered = new Map<string, Answer<unknown>>();
const maxRemembered = 40;

function remember(url: string, a: Answer<unknown>) {
  remembered.delete(url);
  remembered.set(url, a);
  if (remembered.size > maxRemembered) remembered.delete(remembered.keys().next().value!);
}

interface Asked {
  answer: Promise<Answer<unknown>>;
  abort: AbortController;
  users: number;
}

// Questions on their way: panels that ask the same share one answer.
const asked = new Map<string, Asked>();

/** Asks url, unless it is being asked already. It ends when nobody waits any more. */
function ask<T>(url: string, signal: AbortSignal): Promise<Answer<T>> {
  let q = asked.get(url);
  if (!q) {
    const abort = new AbortController();
    q = { answer: get<unknown>(url, abort.signal).finally(() => asked.get(url) === q && asked.delete(url)), abort, users: 0 };
    asked.set(url, q);
  }
  const mine = q;
  mine.users++;
  signal.addEventListener('abort', () => {
    if (--mine.users > 0) return;
    if (asked.get(url) === mine) asked.delete(url);
    mine.abort.abort();
  });
  return mine.answer as Promise<Answer<T>>;
}

/**
 * Asks url, and again every so many seconds while the page is visible. Null
 * asks nothing.
 */
export function useQuery<T>(url: string | null, everySeconds = 0): Query<T> {
  const [answer, setAnswer] = useState<{ url: string; a: Answer<T> } | undefined>();
  const [error, setError] = useState<unknown>();
  const [loading, setLoading] = useState(url !== null);
  const [attempt, setAttempt] = useState(0);
  const last = useRef<string | null>(null);

  useEffect(() => {
    if (url === null) {
      setLoading(false);
      return;
    }
    const abort = new AbortController();
    let timer = 0;
    if (last.current !== url) {
      last.current = url;
      setError(undefined);
      const old = remembered.get(url);
      if (old) setAnswer({ url, a: old as Answer<T> });
    }
    const later = (seconds: number) => {
      clearTimeout(timer);
      timer = window.setTimeout(() => (document.hidden ? later(1) : void now()), seconds * 1000);
    };
    const now = async () => {
      setLoading(true);
      try {
        const a = await ask<T>(url, abort.signal);
        if (abort.signal.aborted) return;
        remember(url, a);
        setAnswer({ url, a });
        setError(undefined);
      } catch (e) {
        if (abort.signal.aborted) return;
        setError(e);
        if (e instanceof ApiError && e.unsupported) {
          // Asking again would be refused again.
          setLoading(false);
          return;
        }
      }
      setLoading(false);
      if (everySeconds > 0) later(everySeconds);
    };
    void now();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [url, everySeconds, attempt]);

  const retry = useCallback(() => setAttempt((n) => n + 1), []);
  return {
    data: url === null ? undefined : answer?.a.data,
    metadata: answer?.a.metadata,
    error,
    loading,
    stale: answer !== undefined && answer.url !== url,
    retry,
  };
}
