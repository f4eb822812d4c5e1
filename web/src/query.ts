import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, get } from './api';

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

/**
 * Asks url, and again every so many seconds while the page is visible. Null
 * asks nothing.
 */
export function useQuery<T>(url: string | null, everySeconds = 0): Query<T> {
  const [answer, setAnswer] = useState<{ url: string; a: Answer<T> } | undefined>();
  const [error, setError] = useState<unknown>();
  const [loading, setLoading] = useState(url !== null);
  const [attempt, setAttempt] = useState(0);
  const asked = useRef<string | null>(null);

  useEffect(() => {
    if (url === null) {
      setLoading(false);
      return;
    }
    const abort = new AbortController();
    let timer = 0;
    if (asked.current !== url) {
      asked.current = url;
      setError(undefined);
      const old = remembered.get(url);
      if (old) setAnswer({ url, a: old as Answer<T> });
    }
    const later = (seconds: number) => {
      clearTimeout(timer);
      timer = window.setTimeout(() => (document.hidden ? later(1) : void ask()), seconds * 1000);
    };
    const ask = async () => {
      setLoading(true);
      try {
        const a = await get<T>(url, abort.signal);
        if (abort.signal.aborted) return;
        remember(url, a);
        setAnswer({ url, a });
        setError(undefined);
      } catch (e) {
        if (abort.signal.aborted) return;
        setError(e);
      }
      setLoading(false);
      if (everySeconds > 0) later(everySeconds);
    };
    void ask();
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
