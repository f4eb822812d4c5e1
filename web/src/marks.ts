import type uPlot from 'uplot';
import type { Severity } from './types';

/** An anomaly on a chart. */
export interface Mark {
  /** Seconds since 1970. */
  time: number;
  /** In the unit of the chart; null is drawn at the top. */
  value: number | null;
  severity: Severity;
  text: string;
  id: string;
}

const size = 5;

/** Where a mark is, in pixels of the plot; what lies above the scale is drawn at its edge. */
function place(u: uPlot, m: Mark): { x: number; y: number } | null {
  const { min, max } = u.scales.x;
  if (min == null || max == null || m.time < min || m.time > max) return null;
  const top = u.scales.y.max ?? 1;
  const bottom = u.scales.y.min ?? 0;
  const v = m.value === null ? top : Math.min(Math.max(m.value, bottom), top);
  return { x: u.valToPos(m.time, 'x'), y: Math.max(u.valToPos(v, 'y'), size + 1) };
}

interface Placed {
  m: Mark;
  x: number;
  y: number;
}

const order = ['critical', 'high', 'medium', 'low'];

/** The marks that are shown, worst first: of those that would lie on each other only the worst. */
function shown(u: uPlot, marks: Mark[]): Placed[] {
  const out: Placed[] = [];
  for (const m of [...marks].sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))) {
    const at = place(u, m);
    if (at && !out.some((o) => Math.abs(o.x - at.x) < size * 1.6 && Math.abs(o.y - at.y) < size * 1.6)) out.push({ m, ...at });
  }
  return out;
}

export function drawMarks(u: uPlot, marks: Mark[], color: (name: string) => string) {
  const { ctx } = u;
  const px = devicePixelRatio;
  ctx.save();
  for (const { m, ...at } of shown(u, marks).reverse()) {
    const x = u.bbox.left + at.x * px;
    const y = u.bbox.top + at.y * px;
    ctx.fillStyle = color(`--${m.severity}`);
    ctx.strokeStyle = color('--panel');
    ctx.lineWidth = 1.5 * px;
    ctx.beginPath();
    shape(ctx, m.severity, x, y, size * px);
    ctx.closePath();
    ctx.stroke();
    ctx.fill();
  }
  ctx.restore();
}

// The shapes of the badges.
function shape(ctx: CanvasRenderingContext2D, severity: Severity, x: number, y: number, r: number) {
  const points: Record<string, [number, number][]> = {
    critical: [[-0.5, -1.1], [0.5, -1.1], [1.1, -0.5], [1.1, 0.5], [0.5, 1.1], [-0.5, 1.1], [-1.1, 0.5], [-1.1, -0.5]],
    high: [[0, -1.2], [1.2, 1], [-1.2, 1]],
    medium: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
  };
  const p = points[severity];
  if (!p) ctx.arc(x, y, r * 0.9, 0, 2 * Math.PI);
  else p.forEach(([dx, dy], i) => (i ? ctx.lineTo(x + dx * r, y + dy * r) : ctx.moveTo(x + dx * r, y + dy * r)));
}

/** The mark under the pointer, with where its text should stand. */
export function markAt(u: uPlot, marks: Mark[]): Placed | null {
  const { left = -1, top = -1 } = u.cursor;
  if (left < 0 || top < 0) return null;
  let best: Placed | null = null;
  let near = 12;
  for (const { m, ...at } of shown(u, marks)) {
    const d = Math.hypot(at.x - left, at.y - top);
    if (d < near) {
      near = d;
      best = { m, x: u.over.offsetLeft + at.x, y: u.over.offsetTop + at.y };
    }
  }
  return best;
}
