// One way to the query interface: bounded, abortable, with errors in words.

export type Params = Record<string, string | number | boolean | undefined | null>;

export interface Answer<T> {
  data: T;
  metadata?: Record<string, unknown>;
}

/** A refusal of the server, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details?: Record<string, unknown>,
  ) {
    super(message);
  }

  /** The storage backend cannot answer this: the panel is hidden, not retried. */
  get unsupported(): boolean {
    return this.code === 'unsupported';
  }
}

const timeoutMillis = 30_000;

let skewMillis = 0;

/** The time of the server: the clock of this machine may be wrong. */
export function serverNow(): number {
  return Date.now() + skewMillis;
}

function noteClock(r: Response, sent: number) {
  const date = Date.parse(r.headers.get('Date') ?? '');
  if (Number.isNaN(date)) return;
  // The header has whole seconds: below two seconds nothing is known.
  const skew = date + 500 - (sent + Date.now()) / 2;
  skewMillis = Math.abs(skew) < 2000 ? 0 : skew;
}

/** The address of a route, relative to the page. Empty values are left out. */
export function address(path: string, params: Params = {}): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) {
    if (v !== undefined && v !== null && v !== '' && v !== false) q.set(k, String(v));
  }
  const text = q.toString();
  return path.replace(/^\//, '') + (text ? '?' + text : '');
}

export async function get<T>(url: string, signal?: AbortSignal): Promise<Answer<T>> {
  return request<T>(url, { signal });
}

export async function post<T>(url: string, body: unknown): Promise<Answer<T>> {
  return request<T>(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function request<T>(url: string, init: RequestInit): Promise<Answer<T>> {
  const timeout = AbortSignal.timeout(timeoutMillis);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  const sent = Date.now();
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(url, { ...init, signal });
    noteClock(response, sent);
    const text = await response.text();
    body = text ? JSON.parse(text) : undefined;
  } catch (e) {
    if (init.signal?.aborted) throw e;
    if (timeout.aborted) throw new ApiError(0, 'timeout', `No answer within ${timeoutMillis / 1000} seconds.`);
    if (e instanceof SyntaxError) throw new ApiError(0, 'bad_answer', 'The answer is not JSON. Is another server at this address?');
    throw new ApiError(0, 'unreachable', 'The collector cannot be reached.');
  }
  if (!response.ok) {
    const e = (body ?? {}) as { code?: string; message?: string; details?: Record<string, unknown> };
    throw new ApiError(response.status, e.code ?? 'error', e.message ?? `The server answered ${response.status}.`, e.details);
  }
  return body as Answer<T>;
}

/** What a person should know about an error, in one or two sentences. */
export function inWords(e: unknown): string {
  if (!(e instanceof ApiError)) return 'The page met an error: ' + String(e);
  switch (e.code) {
    case 'unreachable':
      return 'The collector cannot be reached. Is it running, and is the network up?';
    case 'timeout':
      return 'The answer took too long. A shorter time range is answered sooner.';
    case 'too_many_requests':
      return 'The collector is busy and refused the question for now.';
    case 'storage_unavailable':
      return 'The storage does not answer. Health says which component fails.';
    case 'unauthorized':
      return 'You are not signed in, or may not see this.';
    case 'not_found':
      return 'There is no such thing any more: it may be older than what is kept.';
    default:
      return e.message;
  }
}
