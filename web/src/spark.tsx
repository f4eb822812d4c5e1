/** A small line without axes. Gaps stay gaps. The number beside it says the same. */
export function Spark({ values, kind }: { values: (number | null)[]; kind: string }) {
  const w = 120;
  const h = 28;
  const high = Math.max(...values.map((v) => v ?? 0), 0);
  if (values.length < 2 || high <= 0) return <svg class="spark" viewBox={`0 0 ${w} ${h}`} aria-hidden="true" />;
  let line = '';
  let pen = 'M';
  values.forEach((v, i) => {
    if (v === null) {
      pen = 'M';
      return;
    }
    line += `${pen}${((i / (values.length - 1)) * w).toFixed(1)} ${(h - 2 - (v / high) * (h - 4)).toFixed(1)}`;
    pen = 'L';
  });
  return (
    <svg class={`spark spark-${kind}`} viewBox={`0 0 ${w} ${h}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={line} />
    </svg>
  );
}
