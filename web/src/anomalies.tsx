import { metricName, metricValue } from './format';
import type { Mark } from './marks';
import { linkTo } from './router';
import type { Anomaly } from './types';
import { arrowKeys, Name, SeverityIcon, Time } from './ui';
import { inOneLine, severities, typeTitle } from './words';

/** Anomalies as a list of links: what, where, how much, when. */
export function AnomalyList({ list, label, relative }: { list: Anomaly[]; label: string; relative?: boolean }) {
  return (
    <ul class="anomalies" aria-label={label} onKeyDown={arrowKeys}>
      {list.map((a) => (
        <li key={a.alert_id}>
          <a href={linkTo('anomaly', a.alert_id)} data-row class={`anomaly sev-edge-${a.severity}`}>
            <SeverityIcon severity={a.severity} />
            <span class="what">
              <b>{typeTitle(a.anomaly_type)}</b>
              <span class="hidden">, {a.severity}, </span>
              <Name>{a.service_name}</Name>
              <span class="dot" aria-hidden="true">·</span>
              <Name>{a.model}</Name>
            </span>
            <span class="how" title={a.root_cause ?? undefined}>{inOneLine(a)}</span>
            <span class="when">
              <Time t={a.timestamp} relative={relative} />
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

/** Worst first; among equals the newest first. */
export function worstFirst(list: Anomaly[]): Anomaly[] {
  return [...list].sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity) || Date.parse(b.timestamp) - Date.parse(a.timestamp));
}

/** The anomalies of one metric as marks on its chart; others stand at its top. */
export function marksOf(list: Anomaly[], metric: string): Mark[] {
  return list.map((a) => {
    const same = a.details.metric === metric && typeof a.details.value === 'number';
    return {
      time: Date.parse(a.timestamp) / 1000,
      value: same ? a.details.value! : null,
      severity: a.severity,
      id: a.alert_id,
      text: `${typeTitle(a.anomaly_type)} (${a.severity}): ${metricName(a.details.metric)} ${metricValue(a.details.metric, a.details.value)}`,
    };
  });
}
