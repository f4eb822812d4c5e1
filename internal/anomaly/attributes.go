package anomaly

// Names of the attributes that carry an anomaly inside telemetry. They are
// public: users write them into OTTL statements, tail-sampling policies and
// dashboards, so a rename is a breaking change.
const (
	// EventName is the name of the span event, and the EventName of the log
	// record, that carries one anomaly.
	EventName = "sentinel.anomaly"
	// ResolvedEventName is the name of the span event that carries the end of
	// an anomaly; see [Resolution].
	ResolvedEventName = "sentinel.anomaly.resolved"

	// AttrSeverity on an item (span or log record) is the highest severity of
	// its anomalies; on the span event it is the severity of that anomaly.
	AttrSeverity = "sentinel.anomaly.severity"
	// AttrTypes on an item is a string array of the distinct types found.
	AttrTypes = "sentinel.anomaly.types"

	AttrID             = "sentinel.anomaly.id"
	AttrType           = "sentinel.anomaly.type"
	AttrService        = "sentinel.anomaly.service"
	AttrModel          = "sentinel.anomaly.model"
	AttrMethod         = "sentinel.anomaly.method"
	AttrMethods        = "sentinel.anomaly.methods"
	AttrConfidence     = "sentinel.anomaly.confidence"
	AttrMetric         = "sentinel.anomaly.metric"
	AttrValue          = "sentinel.anomaly.value"
	AttrBaseline       = "sentinel.anomaly.baseline"
	AttrThreshold      = "sentinel.anomaly.threshold"
	AttrDeviationSigma = "sentinel.anomaly.deviation_sigma"
	AttrTraceID        = "sentinel.anomaly.trace_id"
	AttrSpanID         = "sentinel.anomaly.span_id"
	AttrEventID        = "sentinel.anomaly.event_id"
	AttrUserID         = "sentinel.anomaly.user_id"
	AttrRegion         = "sentinel.anomaly.region"
	AttrTimeWindow     = "sentinel.anomaly.time_window"
	AttrSampleCount    = "sentinel.anomaly.sample_count"
	AttrRootCause      = "sentinel.anomaly.root_cause"
	AttrRemediation    = "sentinel.anomaly.remediation"
	AttrRelatedAlerts  = "sentinel.anomaly.related_alerts"
	AttrRunbookURL     = "sentinel.anomaly.runbook_url"

	// Of the end of an anomaly, beside id, service, model, type, metric and, for
	// a new normal, baseline. Times are RFC 3339 texts. AttrLaterIDs is a string
	// array: the further ids that the same incident was reported under.
	AttrLaterIDs        = "sentinel.anomaly.later_ids"
	AttrOnset           = "sentinel.anomaly.onset"
	AttrEnd             = "sentinel.anomaly.end"
	AttrDurationSeconds = "sentinel.anomaly.duration_seconds"
	AttrEndReason       = "sentinel.anomaly.end_reason"
	AttrSummary         = "sentinel.anomaly.summary"

	// PrefixDetail and PrefixContext precede the keys of Details.Additional
	// (doubles) and Context.Additional (strings).
	PrefixDetail  = "sentinel.anomaly.detail."
	PrefixContext = "sentinel.anomaly.context."
)
