import { useState } from 'preact/hooks';
import { address, inWords, post } from './api';
import type { Feedback, Verdict } from './types';
import { Panel, Select, Time } from './ui';

const durations = [
  { value: '1h', label: 'for 1 hour' },
  { value: '8h', label: 'for 8 hours' },
  { value: '24h', label: 'for 1 day' },
  { value: '168h', label: 'for 7 days' },
];

const said: Record<Verdict, string> = { true: 'A real problem', false: 'No anomaly', mute: 'Muted' };

// The limit of the interface, in bytes; characters may take four.
const maxComment = 256;

/** A verdict, which the engine learns from. */
export function FeedbackPanel({ id, given, reload }: { id: string; given: Feedback[]; reload: () => void }) {
  const [comment, setComment] = useState('');
  const [duration, setDuration] = useState('24h');
  const [busy, setBusy] = useState(false);
  const [message, setMessage] = useState<{ ok: boolean; text: string } | null>(null);

  const give = async (verdict: Verdict) => {
    setBusy(true);
    setMessage(null);
    try {
      const body: Record<string, string> = { verdict };
      if (comment.trim()) body.comment = comment.trim();
      if (verdict === 'mute') body.for = duration;
      await post<Feedback>(address(`api/v1/anomalies/${encodeURIComponent(id)}/feedback`), body);
      setMessage({ ok: true, text: { true: 'Thank you: confirmed.', false: 'Thank you: the detectors will be less easily alarmed by the like of it.', mute: 'Muted: no alerts about this service, model and type until then.' }[verdict] });
      setComment('');
      reload();
    } catch (e) {
      setMessage({ ok: false, text: 'Not kept. ' + inWords(e) });
    }
    setBusy(false);
  };

  return (
    <Panel title="Is it a problem?" class="feedback">
      <label class="field comment">
        <span>Comment (optional)</span>
        <input type="text" maxLength={maxComment} value={comment} onInput={(e) => setComment(e.currentTarget.value)} />
      </label>
      <div class="verdicts">
        <button type="button" class="verdict" data-verdict="true" disabled={busy} onClick={() => give('true')}>Yes, a real problem</button>
        <button type="button" class="verdict" data-verdict="false" disabled={busy} onClick={() => give('false')}>No, a false alarm</button>
        <span class="mute">
          <button type="button" class="verdict" data-verdict="mute" disabled={busy} onClick={() => give('mute')}>Mute</button>
          <Select label="Duration" hideLabel value={duration} choices={durations} onChange={setDuration} />
        </span>
      </div>
      <p role="status" class={message ? (message.ok ? 'said ok' : 'said failed') : 'said'}>{message?.text}</p>
      {given.length > 0 && (
        <ul class="given" aria-label="Verdicts so far">
          {given.slice(0, 20).map((f) => (
            <li key={f.id}>
              <b>{said[f.verdict] ?? f.verdict}</b>
              {f.verdict === 'mute' && f.until && <> until <Time t={f.until} seconds={false} /></>}
              {f.author && <> by {f.author}</>}, <Time t={f.time} relative />
              {f.comment && <p>{f.comment}</p>}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
