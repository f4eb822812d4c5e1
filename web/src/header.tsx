import { useEffect, useState } from 'preact/hooks';
import { address } from './api';
import { localTime, zoneName } from './format';
import { useQuery } from './query';
import { presets, type Range, rangeParams } from './range';
import { linkTo, setParams } from './router';
import type { Filter } from './stats';
import { toggleTheme, useTheme } from './theme';
import type { ModelRow, ServiceRow } from './types';

// So many names are offered; others can be typed.
const maxOffered = 200;

export function Header({ range, filter, onHelp }: { range: Range; filter: Filter; onHelp: () => void }) {
  const theme = useTheme();
  // Names are needed only by who is about to choose one.
  const [choosing, setChoosing] = useState('');
  const services = useQuery<ServiceRow[]>(choosing === 'service' ? address('api/v1/services', rangeParams(range)) : null);
  const models = useQuery<ModelRow[]>(choosing === 'model' ? address('api/v1/models', rangeParams(range)) : null);
  return (
    <header class="top">
      <a class="brand" href={linkTo('overview')}>
        <svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" /><path d="M4 18h5l3-9 5 15 4-10 2 4h5" /></svg>
        LLM-Sentinel
      </a>
      <NameFilter label="Service" name="service" value={filter.service} offered={services.data?.map((s) => s.service) ?? []} onFocus={setChoosing} first />
      <NameFilter label="Model" name="model" value={filter.model} offered={models.data?.map((m) => m.model) ?? []} onFocus={setChoosing} />
      <label class="field">
        <span>Time</span>
        <select value={range.preset} onChange={(e) => e.currentTarget.value && setParams({ range: e.currentTarget.value, start: null, end: null })}>
          {Object.entries(presets).map(([k, p]) => <option key={k} value={k} selected={k === range.preset}>{p.label}</option>)}
          {!range.preset && <option value="" selected>{localTime(range.from, false)} to {localTime(range.to, false)}</option>}
        </select>
      </label>
      {!range.preset && <button type="button" onClick={() => setParams({ start: null, end: null })} title="Back to a range that ends now">Now</button>}
      <span class="spacer" />
      <span class="zone" title={'All times of this page are in this zone; point at a time to see UTC.'}>Times: {zoneName()}</span>
      <button type="button" class="icon" onClick={toggleTheme} aria-label={theme === 'dark' ? 'Use light colours' : 'Use dark colours'} title={theme === 'dark' ? 'Light' : 'Dark'}>
        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M8 1.2a6.8 6.8 0 1 0 0 13.6A6.8 6.8 0 0 0 8 1.2zm0 1.5v10.6a5.3 5.3 0 0 1 0-10.6z" /></svg>
      </button>
      <button type="button" class="icon" onClick={onHelp} aria-label="Keys" title="Keys ( ? )">?</button>
    </header>
  );
}

function NameFilter({ label, name, value, offered, onFocus, first }: { label: string; name: string; value: string; offered: string[]; onFocus: (name: string) => void; first?: boolean }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const commit = (v: string) => v !== value && setParams({ [name]: v || null });
  const list = `offered-${name}`;
  return (
    <span class="field filter">
      <label for={`filter-${name}`}>{label}</label>
      <input
        id={`filter-${name}`} type="text" list={list} value={text} placeholder="all" autocomplete="off" spellcheck={false} data-filter={first || undefined}
        onFocus={() => onFocus(name)}
        onInput={(e) => {
          setText(e.currentTarget.value);
          // A choice from the list is whole; typed text is when Enter or Tab ends it.
          if (offered.includes(e.currentTarget.value)) commit(e.currentTarget.value);
        }}
        onChange={(e) => commit(e.currentTarget.value.trim())}
        onKeyDown={(e) => e.key === 'Enter' && commit(e.currentTarget.value.trim())}
      />
      {value && (
        <button type="button" class="clear" aria-label={`All ${label.toLowerCase()}s`} title="Clear" onClick={() => commit('')}>
          ×
        </button>
      )}
      <datalist id={list}>{offered.slice(0, maxOffered).map((o) => <option key={o} value={o} />)}</datalist>
    </span>
  );
}
