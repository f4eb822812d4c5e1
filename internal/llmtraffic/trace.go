package llmtraffic

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Format names the layout of a public trace file.
type Format string

// The formats that can be read.
const (
	FormatAuto     Format = "auto"
	FormatAzure    Format = "azure"    // CSV: TIMESTAMP,ContextTokens,GeneratedTokens
	FormatMooncake Format = "mooncake" // JSON lines: timestamp (ms), input_length, output_length
	FormatVLLM     Format = "vllm"     // JSON object of requests: record_time, first_chunk_time, total_chunk_time (s), in_len, out_len
	FormatLLMPerf  Format = "llmperf"  // JSON array: ttft_s, end_to_end_latency_s, number_input_tokens, number_output_tokens, error_code
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Format) UnmarshalText(text []byte) error {
	switch v := Format(text); v {
	case FormatAuto, FormatAzure, FormatMooncake, FormatVLLM, FormatLLMPerf:
		*f = v
		return nil
	default:
		return fmt.Errorf("format must be one of auto, azure, mooncake, vllm, llmperf, got %q", text)
	}
}

const (
	// maxDocument bounds the JSON documents that are read as a whole, in bytes.
	maxDocument = 256 << 20
	// maxLine bounds one line of the line-based formats, in bytes.
	maxLine = 4 << 20
	// maxTokens bounds a token count; anything above is a damaged row.
	maxTokens = 1_000_000_000
	// maxSeconds bounds a latency or a relative time, in seconds (about 30 years).
	maxSeconds = 1e9
)

// Row is one request of a public trace.
type Row struct {
	// Index counts the rows of the file from 0; Line is where the row stands.
	Index, Line int
	// Start is the time of the request. Relative says that the file gives no
	// date: Start then counts from the unix epoch and must be moved.
	Start    time.Time
	Relative bool

	InputTokens, OutputTokens int64
	// Latency and TTFT are 0 when the file does not hold them.
	Latency, TTFT time.Duration
	// ErrorType is empty for a request that succeeded. A failed request has no
	// output tokens.
	ErrorType string
}

// DetectFormat tells the format of a trace from its first bytes.
func DetectFormat(head []byte) (Format, error) {
	t := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	line, _, _ := bytes.Cut(t, []byte("\n"))
	switch {
	case bytes.HasPrefix(bytes.ToUpper(line), []byte("TIMESTAMP,")):
		return FormatAzure, nil
	case len(t) > 0 && t[0] == '[':
		return FormatLLMPerf, nil
	case bytes.Contains(line, []byte(`"input_length"`)):
		return FormatMooncake, nil
	case len(t) > 0 && t[0] == '{' && bytes.Contains(t, []byte(`"first_chunk_time"`)):
		return FormatVLLM, nil
	}
	return "", errors.New("format cannot be told from the first bytes: name it (azure, mooncake, vllm, llmperf)")
}

// ReadTrace yields the rows of a trace in the order of their start. The first
// bad row ends the iteration with an error that names the file and the line.
// FormatAuto looks at the first 4 KiB.
func ReadTrace(r io.Reader, name string, format Format) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		r, format, err := resolveFormat(r, name, format)
		if err != nil {
			yield(Row{}, err)
			return
		}
		switch format {
		case FormatAzure:
			readLines(r, name, parseAzure, yield)
		case FormatMooncake:
			readLines(r, name, parseMooncake, yield)
		case FormatVLLM:
			readDocument(r, name, parseVLLM, yield)
		case FormatLLMPerf:
			readDocument(r, name, parseLLMPerf, yield)
		default:
			yield(Row{}, fmt.Errorf("%s: unknown format %q", name, format))
		}
	}
}

// resolveFormat settles FormatAuto; the reader that it returns begins at the
// first byte.
func resolveFormat(r io.Reader, name string, format Format) (io.Reader, Format, error) {
	if format != FormatAuto && format != "" {
		return r, format, nil
	}
	br := bufio.NewReaderSize(r, 4096)
	head, err := br.Peek(4096)
	if err == nil || errors.Is(err, io.EOF) {
		format, err = DetectFormat(head)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	return br, format, nil
}

func readLines(r io.Reader, name string, parse func(line string, first bool) (Row, bool, error), yield func(Row, error) bool) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxLine)
	line, index := 0, 0
	for sc.Scan() {
		line++
		text := strings.TrimSuffix(sc.Text(), "\r")
		if line == 1 {
			text = strings.TrimPrefix(text, "\xef\xbb\xbf")
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		row, ok, err := parse(text, line == 1)
		if err != nil {
			yield(Row{}, fmt.Errorf("%s:%d: %w", name, line, err))
			return
		}
		if !ok {
			continue
		}
		row.Index, row.Line = index, line
		index++
		if !yield(row, nil) {
			return
		}
	}
	if err := sc.Err(); err != nil {
		yield(Row{}, fmt.Errorf("%s:%d: %w", name, line+1, err))
	}
}

func parseAzure(text string, first bool) (Row, bool, error) {
	f := strings.Split(text, ",")
	if len(f) != 3 {
		return Row{}, false, fmt.Errorf("want 3 columns, got %d", len(f))
	}
	if first {
		if !strings.EqualFold(f[0], "TIMESTAMP") || f[1] != "ContextTokens" || f[2] != "GeneratedTokens" {
			return Row{}, false, fmt.Errorf("header must be TIMESTAMP,ContextTokens,GeneratedTokens, got %q", text)
		}
		return Row{}, false, nil
	}
	at, err := time.Parse("2006-01-02 15:04:05", strings.TrimSuffix(f[0], "+00:00"))
	if err != nil {
		return Row{}, false, fmt.Errorf("column TIMESTAMP: %w", err)
	}
	row := Row{Start: at}
	if row.InputTokens, err = parseTokens("ContextTokens", f[1]); err != nil {
		return Row{}, false, err
	}
	row.OutputTokens, err = parseTokens("GeneratedTokens", f[2])
	return row, err == nil, err
}

func parseTokens(column, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("column %s: %w", column, err)
	}
	return n, checkTokens(column, n)
}

func checkTokens(column string, n int64) error {
	if n < 0 || n > maxTokens {
		return fmt.Errorf("%s must be in 0..%d, got %d", column, maxTokens, n)
	}
	return nil
}

func checkSeconds(field string, v float64) error {
	if math.IsNaN(v) || v < 0 || v > maxSeconds {
		return fmt.Errorf("%s must be in 0..%g seconds, got %v", field, maxSeconds, v)
	}
	return nil
}

func seconds(v float64) time.Duration { return time.Duration(math.Round(v * 1e9)) }

func parseMooncake(text string, _ bool) (Row, bool, error) {
	var r struct {
		Timestamp *float64 `json:"timestamp"`
		Input     *int64   `json:"input_length"`
		Output    *int64   `json:"output_length"`
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Row{}, false, err
	}
	if r.Timestamp == nil || r.Input == nil || r.Output == nil {
		return Row{}, false, errors.New("timestamp, input_length and output_length are needed")
	}
	err := errors.Join(checkSeconds("timestamp", *r.Timestamp/1e3), checkTokens("input_length", *r.Input), checkTokens("output_length", *r.Output))
	if err != nil {
		return Row{}, false, err
	}
	return Row{Start: time.Unix(0, int64(seconds(*r.Timestamp/1e3))).UTC(), Relative: true, InputTokens: *r.Input, OutputTokens: *r.Output}, true, nil
}

// readDocument reads a JSON document as a whole: its rows may have to be put
// in order.
func readDocument(r io.Reader, name string, parse func(doc []byte) ([]Row, int64, error), yield func(Row, error) bool) {
	doc, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err == nil && len(doc) > maxDocument {
		err = fmt.Errorf("document is longer than %d bytes", maxDocument)
	}
	if err != nil {
		yield(Row{}, fmt.Errorf("%s: %w", name, err))
		return
	}
	rows, offset, err := parse(doc)
	if err != nil {
		yield(Row{}, fmt.Errorf("%s:%d: %w", name, lineAt(doc, offset), err))
		return
	}
	var at int64
	line := 1
	for i := range rows {
		// Line holds the byte offset until here.
		off := min(max(int64(rows[i].Line), at), int64(len(doc)))
		line += bytes.Count(doc[at:off], []byte("\n"))
		at = off
		rows[i].Line, rows[i].Index = line, i
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return a.Start.Compare(b.Start) })
	for _, row := range rows {
		if !yield(row, nil) {
			return
		}
	}
}

func lineAt(doc []byte, offset int64) int {
	return 1 + bytes.Count(doc[:min(max(offset, 0), int64(len(doc)))], []byte("\n"))
}

// valueAt is the offset of the value that follows offset.
func valueAt(doc []byte, offset int64) int64 {
	for offset < int64(len(doc)) && strings.IndexByte(" \t\r\n,:", doc[offset]) >= 0 {
		offset++
	}
	return offset
}

type vllmRow struct {
	Output     *int64   `json:"out_len"`
	Input      *int64   `json:"in_len"`
	FirstChunk *float64 `json:"first_chunk_time"`
	Total      *float64 `json:"total_chunk_time"`
	Record     *float64 `json:"record_time"`
}

// parseVLLM reads the client log of the vLLM load test. record_time is taken
// when the answer is complete: record_time - total_chunk_time rises with the
// request number in every file, record_time does not.
func parseVLLM(doc []byte) ([]Row, int64, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, dec.InputOffset(), errors.Join(errors.New("want a JSON object of requests"), err)
	}
	var rows []Row
	for dec.More() {
		if _, err := dec.Token(); err != nil {
			return nil, dec.InputOffset(), err
		}
		at := valueAt(doc, dec.InputOffset())
		var r vllmRow
		if err := dec.Decode(&r); err != nil {
			return nil, at, err
		}
		if r.Output == nil || r.Input == nil || r.FirstChunk == nil || r.Total == nil || r.Record == nil {
			return nil, at, errors.New("in_len, out_len, first_chunk_time, total_chunk_time and record_time are needed")
		}
		err := errors.Join(checkTokens("in_len", *r.Input), checkTokens("out_len", *r.Output), checkSeconds("first_chunk_time", *r.FirstChunk),
			checkSeconds("total_chunk_time", *r.Total), checkSeconds("record_time", *r.Record))
		if err == nil && *r.FirstChunk > *r.Total {
			err = fmt.Errorf("first_chunk_time must not exceed total_chunk_time, got %v > %v", *r.FirstChunk, *r.Total)
		}
		if err == nil && *r.Total > *r.Record {
			err = fmt.Errorf("total_chunk_time must not exceed record_time, got %v > %v", *r.Total, *r.Record)
		}
		if err != nil {
			return nil, at, err
		}
		latency := seconds(*r.Total)
		rows = append(rows, Row{
			Line: int(at), Start: time.Unix(0, int64(seconds(*r.Record)-latency)).UTC(), Relative: true,
			InputTokens: *r.Input, OutputTokens: *r.Output, Latency: latency, TTFT: seconds(*r.FirstChunk),
		})
	}
	if _, err := dec.Token(); err != nil {
		return nil, dec.InputOffset(), err
	}
	return rows, 0, nil
}

type llmperfRow struct {
	ErrorCode json.RawMessage `json:"error_code"`
	TTFT      float64         `json:"ttft_s"`
	EndToEnd  float64         `json:"end_to_end_latency_s"`
	Input     int64           `json:"number_input_tokens"`
	Output    int64           `json:"number_output_tokens"`
}

// llmperfSpacing parts the rows in time: the files hold no times, and the runs
// were sequential at low concurrency.
const llmperfSpacing = 10 * time.Second

// parseLLMPerf reads the leaderboard's per-request results. Row i starts at
// i x 10 s, because the files hold no times.
func parseLLMPerf(doc []byte) ([]Row, int64, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, dec.InputOffset(), errors.Join(errors.New("want a JSON array of requests"), err)
	}
	var rows []Row
	for dec.More() {
		at := valueAt(doc, dec.InputOffset())
		var r llmperfRow
		if err := dec.Decode(&r); err != nil {
			return nil, at, err
		}
		err := errors.Join(checkTokens("number_input_tokens", r.Input), checkTokens("number_output_tokens", r.Output),
			checkSeconds("ttft_s", r.TTFT), checkSeconds("end_to_end_latency_s", r.EndToEnd))
		code := strings.Trim(string(r.ErrorCode), `"`)
		if r.ErrorCode == nil {
			err = errors.Join(err, errors.New("error_code is needed (null for success)"))
		}
		if err != nil {
			return nil, at, err
		}
		row := Row{
			Line: int(at), Start: time.Unix(0, int64(len(rows))*int64(llmperfSpacing)).UTC(), Relative: true,
			InputTokens: r.Input, OutputTokens: r.Output, Latency: seconds(r.EndToEnd), TTFT: seconds(r.TTFT),
		}
		if code != "null" {
			row.ErrorType, row.OutputTokens, row.TTFT = code, 0, 0
		}
		rows = append(rows, row)
	}
	if _, err := dec.Token(); err != nil {
		return nil, dec.InputOffset(), err
	}
	return rows, 0, nil
}

// traceModel guesses provider and model from the name of a trace file.
func traceModel(name string, f Format) (provider, model string) {
	base := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	switch f {
	case FormatAzure:
		return "azure.ai.openai", "azure-llm-inference"
	case FormatMooncake:
		return "moonshot_ai", "kimi"
	case FormatVLLM:
		return "vllm", "vllm-burstgpt"
	case FormatLLMPerf:
		if p, size, ok := strings.Cut(base, "_"); ok {
			return p, "llama-2-" + size + "-chat"
		}
	}
	return "unknown", "unknown"
}

// MarshalText implements encoding.TextMarshaler.
func (f Format) MarshalText() ([]byte, error) { return []byte(f), nil }
