import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { arrowKeys } from './ui';

export interface Column<T> {
  label: string;
  /** By which the column sorts; numbers stand to the right. */
  value: (row: T) => number | string | null | undefined;
  cell?: (row: T) => ComponentChildren;
  num?: boolean;
}

interface TableProps<T> {
  label: string;
  rows: T[];
  columns: Column<T>[];
  rowKey: (row: T) => string;
  /** The column sorted by at first; a leading minus is descending. */
  sort: string;
  /** Where Enter or a click on a row leads. */
  href?: (row: T) => string;
  current?: (row: T) => boolean;
  /** Text that the filter above searches in; without it there is none. */
  text?: (row: T) => string;
}

const maxRows = 200;

/** A sortable table that never shows more rows than a person can use. */
export function DataTable<T>(p: TableProps<T>) {
  const [by, setBy] = useState(p.sort);
  const [find, setFind] = useState('');
  const shown = useMemo(() => {
    const down = by.startsWith('-');
    const column = p.columns.find((c) => c.label === by.replace(/^-/, '')) ?? p.columns[0];
    const needle = find.toLowerCase();
    const rows = needle && p.text ? p.rows.filter((r) => p.text!(r).toLowerCase().includes(needle)) : [...p.rows];
    rows.sort((a, b) => (down ? compare(column.value(b), column.value(a)) : compare(column.value(a), column.value(b))));
    return rows;
  }, [p.rows, by, find]);

  return (
    <>
      {p.text && p.rows.length > 8 && (
        <label class="field table-filter">
          <span class="hidden">Filter {p.label}</span>
          <input type="search" data-filter placeholder="Filter rows ( / )" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        </label>
      )}
      <div class="scroll">
        <table class="data" aria-label={p.label} onKeyDown={arrowKeys}>
          <thead>
            <tr>
              {p.columns.map((c) => {
                const on = by.replace(/^-/, '') === c.label;
                const down = by.startsWith('-');
                return (
                  <th scope="col" key={c.label} class={c.num ? 'num' : undefined} aria-sort={on ? (down ? 'descending' : 'ascending') : 'none'}>
                    <button type="button" class="sort" onClick={() => setBy(on ? (down ? c.label : '-' + c.label) : (c.num ? '-' : '') + c.label)}>
                      {c.label}
                      <span aria-hidden="true">{on ? (down ? ' ▾' : ' ▴') : ''}</span>
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, maxRows).map((row) => (
              <tr key={p.rowKey(row)} class={p.current?.(row) ? 'current' : undefined}>
                {p.columns.map((c, i) => {
                  const content = c.cell ? c.cell(row) : String(c.value(row) ?? '');
                  return (
                    <td key={c.label} class={c.num ? 'num' : undefined}>
                      {i === 0 && p.href ? <a class="row-link" data-row href={p.href(row)}>{content}</a> : content}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length === 0 && <p class="hint">No row matches “{find}”.</p>}
      {shown.length > maxRows && <p class="hint">The first {maxRows} of {shown.length} rows. Sort or filter to see others.</p>}
    </>
  );
}

function compare(a: number | string | null | undefined, b: number | string | null | undefined): number {
  if (typeof a === 'string' || typeof b === 'string') return String(a ?? '').localeCompare(String(b ?? ''), undefined, { numeric: true });
  return (a ?? -Infinity) - (b ?? -Infinity) || 0;
}
