import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { localTime, utcTime } from './format';
import { drawMarks, type Mark, markAt } from './marks';
import { useTheme } from './theme';

export interface Line {
  label: string;
  /** The name of a custom property of the style sheet. */
  color: string;
  values: (number | null)[];
  dash?: number[];
  fill?: boolean;
  bars?: boolean;
  /** Single values that no line joins. */
  dots?: boolean;
  /** What is written for a value, when it is not what is drawn (stacks). */
  shown?: (number | null)[];
}

export interface ChartProps {
  /** Says what is drawn, for those who do not see it. */
  label: string;
  /** Seconds since 1970, ascending. */
  time: number[];
  lines: Line[];
  band?: { label: string; lower: (number | null)[]; upper: (number | null)[] };
  format: (v: number | null) => string;
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  height?: number;
  log?: boolean;
  /** Values are whole numbers: so is the scale. */
  whole?: boolean;
  marks?: Mark[];
  onZoom?: (from: number, to: number) => void;
  onMark?: (m: Mark) => void;
  sync?: string;
}

/** Reads a colour of the style sheet as it is in the present theme. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || '#888';
}

export function Chart(p: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const props = useRef(p);
  props.current = p;
  const theme = useTheme();
  const [at, setAt] = useState<number | null>(null);
  const [mark, setMark] = useState<{ m: Mark; x: number; y: number } | null>(null);

  const data = useMemo(
    () => [p.time, ...(p.band ? [p.band.upper, p.band.lower] : []), ...p.lines.map((l) => l.values)] as uPlot.AlignedData,
    [p.time, p.band, p.lines],
  );
  // What needs a new plot; all else is read from props when it is drawn.
  const form = JSON.stringify([theme, p.log, p.height, !!p.band, p.lines.map((l) => [l.color, l.dash, l.fill, l.bars, l.dots])]);

  useEffect(() => {
    const el = host.current!;
    const u = new uPlot(options(props, el.clientWidth, setAt, setMark), data, el);
    plot.current = u;
    const resized = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height: props.current.height ?? 220 }));
    resized.observe(el);
    return () => {
      resized.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [form]);
  useEffect(() => plot.current?.setData(data), [data]);
  useEffect(() => plot.current?.redraw(false, false), [p.marks]);

  const step = (e: KeyboardEvent) => {
    const n = p.time.length;
    const now = at ?? n;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: n - 1, Escape: null }[e.key];
    if (to === undefined) return;
    if (to === null) {
      if (at === null) return;
      e.stopPropagation();
    }
    e.preventDefault();
    const i = to === null ? null : Math.max(0, Math.min(n - 1, to));
    setAt(i);
    const u = plot.current;
    if (u) u.setCursor(i === null ? { left: -10, top: -10 } : { left: u.valToPos(p.time[i], 'x'), top: 10 }, false);
  };

  return (
    <figure class="chart">
      <div
        ref={host}
        role="img"
        tabIndex={0}
        aria-label={`${p.label}. Arrow keys move through time; the values follow as text.`}
        onKeyDown={step}
        class="plot"
        style={{ height: `${p.height ?? 220}px` }}
      />
      {mark && (
        <div class="tip" style={{ left: `${mark.x}px`, top: `${mark.y}px` }} role="tooltip">
          {mark.m.text}
        </div>
      )}
      <Legend p={p} at={at} />
      <Table p={p} />
    </figure>
  );
}

function Legend({ p, at }: { p: ChartProps; at: number | null }) {
  const i = at !== null && at < p.time.length ? at : null;
  return (
    <figcaption class="legend">
      {/* aria-live: those who step by keys hear the values */}
      <span class="legend-time" aria-live="polite" title={i === null ? undefined : utcTime(p.time[i] * 1000)}>
        {i === null ? '' : localTime(p.time[i] * 1000, false)}
      </span>
      {p.lines.map((l) => (
        <span class="legend-item" key={l.label}>
          <svg class="swatch" viewBox="0 0 18 8" aria-hidden="true" style={{ color: `var(${l.color})` }}>
            {l.dots ? <circle cx="9" cy="4" r="3" /> : l.bars || l.fill ? <rect width="18" height="8" rx="2" /> : <line x1="0" y1="4" x2="18" y2="4" stroke-dasharray={l.dash?.join(' ')} />}
          </svg>
          <span class="legend-name" title={l.label}>{l.label}</span>
          <b>{i === null ? '' : p.format((l.shown ?? l.values)[i])}</b>
        </span>
      ))}
      {p.band && (
        <span class="legend-item">
          <svg class="swatch" viewBox="0 0 18 8" aria-hidden="true" style={{ color: 'var(--band-line)' }}>
            <rect width="18" height="8" rx="2" opacity=".45" />
          </svg>
          {p.band.label} <b>{i === null || p.band.upper[i] === null ? '' : `${p.format(p.band.lower[i])} to ${p.format(p.band.upper[i])}`}</b>
        </span>
      )}
    </figcaption>
  );
}

/** The same numbers as text, made only when they are asked for. */
function Table({ p }: { p: ChartProps }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="as-table" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>Show as table</summary>
      {open && (
        <div class="scroll" tabIndex={0} role="region" aria-label={p.label}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {p.lines.map((l) => <th scope="col" class="num" key={l.label}>{l.label}</th>)}
              </tr>
            </thead>
            <tbody>
              {p.time.map((t, i) => (
                <tr key={t}>
                  <td title={utcTime(t * 1000)}>{localTime(t * 1000, false)}</td>
                  {p.lines.map((l) => <td class="num" key={l.label}>{p.format((l.shown ?? l.values)[i])}</td>)}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

function options(
  props: { current: ChartProps },
  width: number,
  setAt: (i: number | null) => void,
  setMark: (m: { m: Mark; x: number; y: number } | null) => void,
): uPlot.Options {
  const p = props.current;
  const axis = { stroke: color('--muted'), grid: { stroke: color('--grid'), width: 1 }, ticks: { show: false }, font: `11px ${color('--font')}` };
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  if (p.band) {
    const edge = { stroke: color('--band-line'), width: 1, dash: [2, 4], points: { show: false } };
    series.push({ ...edge, auto: false }, { ...edge, auto: false });
    bands.push({ series: [1, 2], fill: color('--band') });
  }
  for (const l of p.lines) {
    const c = color(l.color);
    series.push({
      stroke: c, width: l.bars ? 0 : 1.75, dash: l.dash, fill: l.bars ? c : l.fill ? c + '2e' : undefined, spanGaps: false,
      paths: l.bars ? uPlot.paths.bars!({ size: [0.86, 60], gap: 0, align: 1 }) : l.dots ? () => null : undefined,
      points: { show: l.bars ? false : l.dots ? true : (_u, i) => lonely(props.current.lines[i - 1 - (props.current.band ? 2 : 0)]?.values ?? []), size: 4, fill: c },
    });
  }
  return {
    width, height: p.height ?? 220, series, bands, padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: {
      y: false, points: { size: 7 }, drag: { x: !!p.onZoom, y: false, setScale: false },
      sync: p.sync ? { key: p.sync } : undefined,
    },
    scales: {
      x: { time: true, range: () => [props.current.from / 1000, props.current.to / 1000] },
      y: p.log ? { distr: 3, range: (_u, lo, hi) => logRange(props.current, lo, hi) } : { range: (_u, _lo, hi) => linearRange(props.current, hi) },
    },
    axes: [
      { ...axis, values: (_u, ticks) => ticks.map((t) => tick(t, ticks)), space: 70, size: 28 },
      { ...axis, values: (_u, ticks) => ticks.map((v) => (v === null || (props.current.whole && !Number.isInteger(v)) ? '' : round(props.current.format(v)))), size: 62, space: 36,
        ...(p.log ? { splits: (u: uPlot) => logTicks(u.scales.y.min ?? 1, u.scales.y.max ?? 10), filter: (_u: uPlot, splits: number[]) => splits } : {}) },
    ],
    hooks: {
      setCursor: [(u) => {
        setAt(u.cursor.idx ?? null);
        const m = markAt(u, props.current.marks ?? []);
        setMark(m);
        u.over.style.cursor = m ? 'pointer' : '';
      }],
      setSelect: [(u) => {
        if (u.select.width < 8) return;
        const from = u.posToVal(u.select.left, 'x') * 1000;
        const to = u.posToVal(u.select.left + u.select.width, 'x') * 1000;
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        props.current.onZoom?.(from, to);
      }],
      draw: [(u) => drawMarks(u, props.current.marks ?? [], color)],
      ready: [(u) => u.over.addEventListener('click', () => {
        const m = markAt(u, props.current.marks ?? []);
        if (m) props.current.onMark?.(m.m);
      })],
    },
  };
}

/** Whether no two neighbours are known: then there is no line to be seen. */
function lonely(values: (number | null)[]): boolean {
  return !values.some((v, i) => v !== null && i > 0 && values[i - 1] !== null);
}

/** The scale follows the calls; a band that is much wider is cut. */
function linearRange(p: ChartProps, hi: number): [number, number] {
  let high = hi > 0 ? hi : 1;
  const edges = p.band?.upper.filter((v): v is number => v !== null) ?? [];
  if (edges.length) high = Math.max(high, Math.min(Math.max(...edges), high * 1.5));
  return [0, high * 1.08];
}

function logRange(p: ChartProps, lo: number | null, hi: number | null): [number, number] {
  const known = [lo, hi, ...(p.band?.upper ?? []), ...(p.band?.lower ?? [])].filter((v): v is number => v !== null && v > 0);
  if (!known.length) return [1, 10];
  return [Math.min(...known) / 1.3, Math.max(...known) * 1.3];
}

/** 1, 2 and 5 of each power of ten; of wide ranges the powers only. */
function logTicks(min: number, max: number): number[] {
  const out: number[] = [];
  const wide = Math.log10(max / min) > 4;
  for (let p = Math.floor(Math.log10(min)); p <= Math.log10(max); p++) {
    for (const m of wide ? [1] : [1, 2, 5]) {
      const v = m * 10 ** p;
      if (v >= min && v <= max) out.push(v);
    }
  }
  return out;
}

/** "2.50 s" is "2.5 s" on an axis, "$3.00" is "$3". */
function round(text: string): string {
  return text.replace(/\.(\d*?)0+(?!\d)/, (_, kept: string) => (kept ? '.' + kept : ''));
}

function tick(t: number, all: number[]): string {
  const text = localTime(t * 1000, all.length > 1 && all[1] - all[0] < 60);
  const d = new Date(t * 1000);
  // At midnight the day is what matters.
  if (d.getHours() === 0 && d.getMinutes() === 0) return d.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return all.length > 1 && all[1] - all[0] >= 86_400 ? d.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' }) : text.slice(-5);
}
