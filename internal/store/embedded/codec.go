package embedded

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"zombiezen.com/go/sqlite"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Bits of the column flags of an event.
const (
	flagStreaming = 1 << iota
	flagFailed
	// flagNoEnd: the time of the row is the start of the call.
	flagNoEnd
	// flagAsked: nothing is known of the model that answered; the column model
	// is the one that was asked for.
	flagAsked
	flagEstimated
)

// binder binds the parameters of rows in the order of the columns. All
// parameters are NULL before the first row.
type binder struct {
	stmt *sqlite.Stmt
	dict func(string) (id int64, ok bool)
	n    int
	// bound are the parameters that are not NULL, from 1.
	bound [64]bool
	// scratch is working memory of one row.
	scratch []byte
}

// next is the number of the parameter to bind.
func (b *binder) next() int {
	b.n++
	b.bound[b.n] = true
	return b.n
}

// skip leaves a parameter NULL, or makes it so when the row before had a value.
func (b *binder) skip() {
	b.n++
	if b.bound[b.n] {
		b.stmt.BindNull(b.n)
		b.bound[b.n] = false
	}
}

// skipIf skips a parameter if it is empty, else the caller has to bind it.
func (b *binder) skipIf(empty bool) (bind bool) {
	if empty {
		b.skip()
	}
	return !empty
}

func (b *binder) int(v int64) { b.stmt.BindInt64(b.next(), v) }

func (b *binder) bytes(v []byte) { b.stmt.BindBytes(b.next(), v) }

// exactly binds a string in a column that is never NULL.
func (b *binder) exactly(v string) { b.stmt.BindText(b.next(), v) }

func (b *binder) text(v string) {
	if b.skipIf(v == "") {
		b.exactly(v)
	}
}

// name binds a string that repeats in many rows.
func (b *binder) name(v string) {
	if !b.skipIf(v == "") {
		return
	}
	if id, ok := b.dict(v); ok {
		b.int(id)
	} else {
		b.exactly(v)
	}
}

func (b *binder) float(v float64, known bool) {
	if b.skipIf(!known || math.IsNaN(v)) {
		b.stmt.BindFloat(b.next(), v)
	}
}

func (b *binder) count(v int64, known bool) {
	if b.skipIf(!known) {
		b.int(v)
	}
}

// appendStringMap appends m as a JSON object with sorted keys. Texts that need
// escapes go the way of encoding/json.
func appendStringMap(to []byte, m map[string]string) []byte {
	var room [16]string
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	to = append(to, '{')
	for i, k := range keys {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendJSONString(to, k)
		to = append(to, ':')
		to = appendJSONString(to, m[k])
	}
	return append(to, '}')
}

func appendJSONString(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			j, err := json.Marshal(s)
			if err != nil { // a string has a JSON form
				j = []byte(`""`)
			}
			return append(to, j...)
		}
	}
	to = append(to, '"')
	to = append(to, s...)
	return append(to, '"')
}

// vector binds a list of numbers as 32 bit floats, little endian.
func (b *binder) vector(v []float32) {
	if b.skipIf(len(v) == 0) {
		out := make([]byte, 0, 4*len(v))
		for _, x := range v {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
		}
		b.bytes(out)
	}
}

func bindEvent(b *binder, nanos int64, e *genai.Event) error {
	var flags int64
	set := func(on bool, f int64) {
		if on {
			flags |= f
		}
	}
	set(e.Streaming, flagStreaming)
	set(e.Failed, flagFailed)
	set(e.End == 0, flagNoEnd)
	set(e.ResponseModel == "", flagAsked)
	set(e.Estimated, flagEstimated)

	b.int(nanos)
	b.bytes(e.ID[:])
	b.name(e.Service)
	b.name(e.Model())
	if b.skipIf(e.TraceID.IsEmpty()) {
		b.bytes(e.TraceID[:])
	}
	if b.skipIf(e.SpanID.IsEmpty()) {
		b.bytes(e.SpanID[:])
	}
	if b.skipIf(e.ParentSpanID.IsEmpty()) {
		b.bytes(e.ParentSpanID[:])
	}
	b.count(int64(e.Start), e.Start != 0)
	b.int(flags)
	for _, s := range [...]string{
		e.Environment, e.Region, e.Tenant, e.Operation, e.Provider, e.RequestModel, e.FinishReason, e.Agent, e.ErrorType,
	} {
		b.name(s)
	}
	b.count(e.InputTokens, e.Has(genai.FieldInputTokens))
	b.count(e.OutputTokens, e.Has(genai.FieldOutputTokens))
	b.count(e.TotalTokens, e.Has(genai.FieldTotalTokens))
	b.count(e.CacheReadTokens, e.Has(genai.FieldCacheReadTokens))
	b.count(e.CacheWriteTokens, e.Has(genai.FieldCacheWriteTokens))
	b.count(e.ReasoningTokens, e.Has(genai.FieldReasoningTokens))
	b.float(e.CostUSD, e.Has(genai.FieldCost))
	b.float(e.TTFTMillis, e.Has(genai.FieldTTFT))
	b.float(e.LatencyMillis, e.Has(genai.FieldLatency))
	b.text(e.ResponseID)
	b.text(e.Conversation)
	b.text(e.User)
	b.text(e.ErrorMessage)
	if b.skipIf(len(e.Metadata) == 0) {
		b.scratch = appendStringMap(b.scratch[:0], e.Metadata)
		b.text(unsafe.String(unsafe.SliceData(b.scratch), len(b.scratch))) //nolint:gosec // text copies, and scratch is not changed meanwhile
	}
	b.text(e.PromptText)
	b.text(e.ResponseText)
	b.name(e.ServiceTier)
	b.count(e.CacheWrite5mTokens, e.Has(genai.FieldCacheWrite5mTokens))
	b.count(e.CacheWrite1hTokens, e.Has(genai.FieldCacheWrite1hTokens))
	b.count(e.AudioInputTokens, e.Has(genai.FieldAudioInputTokens))
	b.count(e.AudioOutputTokens, e.Has(genai.FieldAudioOutputTokens))
	b.count(e.ImageInputTokens, e.Has(genai.FieldImageInputTokens))
	b.vector(e.PromptEmbedding)
	b.vector(e.ResponseEmbedding)
	return nil
}

// row reads the columns of one row in order.
type row struct {
	stmt *sqlite.Stmt
	name func(id int64) (string, error)
	n    int
	// size is the number of bytes of text that were read.
	size int
	err  error
}

func (r *row) int() int64 {
	v := r.stmt.ColumnInt64(r.n)
	r.n++
	return v
}

// null reports whether the next column is NULL, and skips it if so.
func (r *row) null() bool {
	null := r.stmt.ColumnIsNull(r.n)
	if null {
		r.n++
	}
	return null
}

func (r *row) bytes(to []byte) {
	r.stmt.ColumnBytes(r.n, to)
	r.n++
}

func (r *row) text() string {
	v := r.stmt.ColumnText(r.n)
	r.n++
	r.size += len(v)
	return v
}

func (r *row) named() string {
	if r.stmt.ColumnType(r.n) != sqlite.TypeInteger {
		return r.text()
	}
	v, err := r.name(r.int())
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

func (r *row) count(e *genai.Event, f genai.Field) int64 {
	if !r.stmt.ColumnIsNull(r.n) {
		e.Present |= f
	}
	return r.int()
}

func (r *row) number(e *genai.Event, f genai.Field) float64 {
	if !r.stmt.ColumnIsNull(r.n) {
		e.Present |= f
	}
	v := r.stmt.ColumnFloat(r.n)
	r.n++
	return v
}

func (r *row) vector() []float32 {
	n := r.stmt.ColumnLen(r.n)
	if n == 0 {
		r.n++
		return nil
	}
	raw := make([]byte, n)
	r.bytes(raw)
	r.size += n
	if n%4 != 0 && r.err == nil {
		r.err = fmt.Errorf("a vector of %d bytes is none of 32 bit numbers", n)
	}
	out := make([]float32, n/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

// float is NaN for NULL.
func (r *row) float() float64 {
	v := math.NaN()
	if !r.stmt.ColumnIsNull(r.n) {
		v = r.stmt.ColumnFloat(r.n)
	}
	r.n++
	return v
}

func scanEvent(r *row) (genai.Event, error) {
	var e genai.Event
	nanos := r.int()
	r.bytes(e.ID[:])
	e.Service = r.named()
	model := r.named()
	r.bytes(e.TraceID[:])
	r.bytes(e.SpanID[:])
	r.bytes(e.ParentSpanID[:])
	e.Start = pcommon.Timestamp(r.int())
	flags := r.int()
	e.Streaming = flags&flagStreaming != 0
	e.Estimated = flags&flagEstimated != 0
	e.Failed = flags&flagFailed != 0
	if flags&flagNoEnd == 0 {
		e.End = pcommon.Timestamp(nanos)
	}
	if flags&flagAsked == 0 {
		e.ResponseModel = model
	}
	for _, s := range [...]*string{
		&e.Environment, &e.Region, &e.Tenant, &e.Operation, &e.Provider, &e.RequestModel, &e.FinishReason, &e.Agent, &e.ErrorType,
	} {
		*s = r.named()
	}
	e.InputTokens = r.count(&e, genai.FieldInputTokens)
	e.OutputTokens = r.count(&e, genai.FieldOutputTokens)
	e.TotalTokens = r.count(&e, genai.FieldTotalTokens)
	e.CacheReadTokens = r.count(&e, genai.FieldCacheReadTokens)
	e.CacheWriteTokens = r.count(&e, genai.FieldCacheWriteTokens)
	e.ReasoningTokens = r.count(&e, genai.FieldReasoningTokens)
	e.CostUSD = r.number(&e, genai.FieldCost)
	e.TTFTMillis = r.number(&e, genai.FieldTTFT)
	e.LatencyMillis = r.number(&e, genai.FieldLatency)
	e.ResponseID = r.text()
	e.Conversation = r.text()
	e.User = r.text()
	e.ErrorMessage = r.text()
	if m := r.text(); m != "" {
		if err := json.Unmarshal([]byte(m), &e.Metadata); err != nil {
			return e, fmt.Errorf("decode metadata of event %s: %w", e.ID, err)
		}
	}
	e.PromptText = r.text()
	e.ResponseText = r.text()
	e.ServiceTier = r.named()
	e.CacheWrite5mTokens = r.count(&e, genai.FieldCacheWrite5mTokens)
	e.CacheWrite1hTokens = r.count(&e, genai.FieldCacheWrite1hTokens)
	e.AudioInputTokens = r.count(&e, genai.FieldAudioInputTokens)
	e.AudioOutputTokens = r.count(&e, genai.FieldAudioOutputTokens)
	e.ImageInputTokens = r.count(&e, genai.FieldImageInputTokens)
	e.PromptEmbedding = r.vector()
	e.ResponseEmbedding = r.vector()
	return e, r.err
}
