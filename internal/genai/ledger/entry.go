package ledger

// TokenType is a kind of token. Input contains the cache reads and writes, audio
// and images; Output contains reasoning and audio. Cache writes contain those of
// each lifetime.
type TokenType uint8

// The kinds of tokens.
const (
	Input TokenType = iota
	Output
	CacheRead
	CacheWrite
	CacheWrite5m
	CacheWrite1h
	Reasoning
	AudioInput
	AudioOutput
	ImageInput

	TokenTypes
)

var tokenTypeNames = [TokenTypes]string{
	"input", "output", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h",
	"reasoning", "audio_input", "audio_output", "image_input",
}

// String is the name as used in metrics.
func (t TokenType) String() string {
	if t < TokenTypes {
		return tokenTypeNames[t]
	}
	return "unknown"
}

// Usage is the token counts of a call. A count that is not known is not zero.
type Usage struct {
	known  uint16
	tokens [TokenTypes]int64
}

// Set enters a count.
func (u *Usage) Set(t TokenType, n int64) {
	u.tokens[t] = n
	u.known |= 1 << t
}

// Get is a count, and whether it is known.
func (u *Usage) Get(t TokenType) (int64, bool) { return u.tokens[t], u.known&(1<<t) != 0 }

// Known reports whether input or output is known.
func (u *Usage) Known() bool { return u.known&(1<<Input|1<<Output) != 0 }

// fill takes from o what is not known.
func (u *Usage) fill(o *Usage) {
	for t := range TokenTypes {
		if o.known&^u.known&(1<<t) != 0 {
			u.Set(t, o.tokens[t])
		}
	}
}

// Context is what spans of one call know of it, some this and some that.
type Context struct {
	ResponseID, FinishReason, Agent, User, Conversation string
}

// fill takes from o what is not known.
func (c *Context) fill(o *Context) {
	for _, f := range [...]struct{ to, from *string }{
		{&c.ResponseID, &o.ResponseID},
		{&c.FinishReason, &o.FinishReason},
		{&c.Agent, &o.Agent},
		{&c.User, &o.User},
		{&c.Conversation, &o.Conversation},
	} {
		if *f.to == "" && *f.from != "" {
			*f.to = *f.from
		}
	}
}

// lacks is what o knows and c does not.
func (c *Context) lacks(o *Context) (d Context) {
	d = *o
	for _, f := range [...]struct{ have, d *string }{
		{&c.ResponseID, &d.ResponseID},
		{&c.FinishReason, &d.FinishReason},
		{&c.Agent, &d.Agent},
		{&c.User, &d.User},
		{&c.Conversation, &d.Conversation},
	} {
		if *f.have != "" {
			*f.d = ""
		}
	}
	return d
}

// Source says what kind of item tells of a call.
type Source uint8

// The sources.
const (
	Span Source = iota
	// EventOfSpan is a log record that describes the span whose ids it carries.
	EventOfSpan
	// Log is any other log record; a span id in it is that of its parent.
	Log

	sources
)

// Entry is one item: any span of a trace, since marks travel through all of
// them, or a log record that tells of a call.
type Entry struct {
	// ID is the id of the event, which stands for the span if that has no ids.
	ID           [16]byte
	Trace        [16]byte
	Span, Parent [8]byte
	Source       Source
	// Call: the item says that it is a leaf inference call.
	Call bool
	// Tool: the item is the execution of a tool.
	Tool bool
	// NoUsage: the counts are not new, as for a response that was fetched again.
	NoUsage bool
	Failed  bool
	// Estimated: the counts are those of the emitter, not of the provider.
	Estimated      bool
	Service, Model string
	Usage          Usage
	Context        Context
}

// Reason says why an item is not a call of its own.
type Reason uint8

// The reasons.
const (
	// Counted: the item is the call.
	Counted Reason = iota
	// Wrapper: a span below it is the call.
	Wrapper
	// SameResponse: an item with the same response id is the call.
	SameResponse
	// LogOfSpan: the span that the log record describes is the call.
	LogOfSpan
	// SpanOfLog: the log record that describes the span came first.
	SpanOfLog
	// LateChild: a span above it came first, and was passed on as the call.
	LateChild

	// Reasons is the number of reasons.
	Reasons
)

var reasonNames = [Reasons]string{"", "wrapper", "response_id", "log_of_span", "span_of_log", "late_child"}

// String is the reason as written into attributes and metrics.
func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return "unknown"
}

// Decision is what an item is to be taken for by all who see it later. Items
// that are taken for calls make up the calls and tokens once, in any order of
// arrival; only where a span without counts was passed on before its child with
// counts came, there are two calls, because tokens must not get lost.
type Decision struct {
	// Duplicate is why the item is not a call of its own.
	Duplicate Reason
	// Of is the id of the call, if Duplicate.
	Of [16]byte
	// Redelivered: the item came before. The rest is what was said then.
	Redelivered bool
	// Usage and Context are what the item lacks and others of its call know. Only
	// set on items that are counted.
	Usage   Usage
	Context Context
}
