package export

import (
	"fmt"
	"io"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Format of a file.
type Format string

// The formats.
const (
	// CSV as of RFC 4180, with a header; what is not known is an empty cell.
	CSV Format = "csv"
	// JSONL is one JSON object of the HTTP API in each line.
	JSONL Format = "jsonl"
	// Parquet with the columns of CSV, compressed with zstd; what is not known is
	// null.
	Parquet Format = "parquet"
)

// Formats are all formats.
var Formats = []Format{CSV, JSONL, Parquet}

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats {
		if name == string(f) {
			return f, nil
		}
	}
	return "", fmt.Errorf("format must be one of csv, jsonl, parquet, got %q", name)
}

// ContentType is the media type of the format.
func (f Format) ContentType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8; header=present"
	case JSONL:
		return "application/x-ndjson"
	default:
		return "application/vnd.apache.parquet"
	}
}

// Writer writes rows of one kind. Close ends the file, but does not close what
// it is written to; a Parquet file without it is not readable. A Writer is not
// safe for concurrent use.
type Writer[T any] interface {
	Write(row *T) error
	Close() error
}

// Events returns a writer of LLM events. It may buffer a group of rows.
func Events(w io.Writer, f Format) Writer[genai.Event] {
	return open(w, f, eventRow)
}

// Anomalies returns a writer of anomalies. It may buffer a group of rows.
func Anomalies(w io.Writer, f Format) Writer[anomaly.Anomaly] {
	return open(w, f, anomalyRow)
}

func open[T, R any](w io.Writer, f Format, fill func(*T) R) Writer[T] {
	row := func(v *T) R {
		r := fill(v)
		makeValid(&r)
		return r
	}
	switch f {
	case CSV:
		return newCSV(w, row)
	case JSONL:
		return newJSONL[T](w)
	default:
		return newParquet(w, row)
	}
}
