// Package genai reads LLM events out of OpenTelemetry data: spans, log records
// and metrics. Which attribute means what is said by one table (table.go); the
// code only walks it.
//
// # How a span is read
//
// [Extractor.FromSpan] first asks the call rules of the table whether the span
// is a leaf inference call. That question is all that a span of another kind
// costs. For a call it then walks the attributes once: every key is looked up
// in an index that is built from the table, and the value is kept if its
// selector is preferred over the one that gave the value so far. The order of
// the attributes therefore does not matter. A value that is refused (negative,
// not a number, of the wrong type) counts as absent, so that the next selector
// gets its turn, and is reported as a [Problem].
//
// # What else a span may carry
//
// With Options.MeasuresOnly, [Extractor.Read] also tells by [Signal] whether the
// span is the execution of a tool, or carries a prompt or the results of
// evaluators, guards and sanitizers. That costs next to nothing where there is
// no such thing; [ReadTool], [PromptTail] and [ReadMarks] read it. Their tables
// are in signal.go, tool.go and marks.go.
//
// # Log records and metrics
//
// [Extractor.FromLog] reads calls out of log records, with the same selectors: a
// log rule of the table says by the name of its event which record tells of a
// call. [Extractor.LogCall] asks that question alone. [Extractor.FromMetric]
// makes a [Measure] of each data point of an LLM metric, by the table in
// metric_table.go.
//
// # Other names
//
// [Normalize] writes what was read under the current names of the conventions
// next to the originals. [CanonicalModel] undoes what gateways and clouds make of
// the names of models; events keep the name that the emitter gives.
//
// # How to add an emitter
//
//  1. Record what it sends, as OTLP JSON lines.
//  2. If its calls are not found by an existing call rule, add a [callRule]:
//     the attribute (or the span name and scope) that marks a leaf inference
//     call. Agent, workflow, step and tool spans repeat the model and the usage
//     of the calls below them and must not match.
//  3. For every concept that it reports under a name of its own, add a
//     [selector] to the list of that concept, at the place that says how much
//     the name is to be trusted. Most are a bare key. If the value sits inside
//     JSON, name the path; if it is a duration, name the unit; if the key means
//     something else elsewhere, name the condition (when, scope, span).
//  4. Add new spellings of providers and finish reasons to the alias lists.
//  5. If it tells of calls in log records, add a log rule; selectors that are
//     good for one event only name it (log). If it has metrics of its own, add
//     them to metric_table.go.
//  6. If its counts are not inclusive, add its scope to usage.go.
//  7. Add the recording to the table of the recordings test, with the number
//     of calls, models and token counts that are known to be true.
//
// No other code should be needed. A row that the table cannot express is a
// reason to extend selector, not to special-case an emitter.
//
// What this package does not do: it takes each span and record by itself. That a
// wrapper and the span below it, or a span and a log record, can both describe the
// same call is for the token ledger to settle.
package genai
