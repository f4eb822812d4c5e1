package influx

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// FuzzDecode: no answer makes the reader panic, and one that is no answer is an
// error that says so.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","a"],"values":[[1,"x"],[2,null]],"partial":true}],"partial":true}]}` + "\n" +
			`{"results":[{"series":[{"columns":["time","a"],"values":[[3,1.5]]}]}]}`,
		`{"time":"2024-01-01T00:00:00.5","event_id":"11111111-2222-3333-4444-555555555555","has_errors":1}` + "\n" + `{"n":5}`,
		`{"error":"no"}`, `null`, `[]`, `{"results":[{"error":"no"}]}`, ``, `{"results":[{"series":[{"columns":["time"],"values":[[]]}]}]}`,
	} {
		f.Add([]byte(s))
	}
	b := testBackend(f)
	ask, err := b.eventQuestion(&store.EventQuery{Query: store.Query{Limit: 1}})
	require.NoError(f, err)
	row := func(columns []string, values []any) error {
		_, err := ask.decode(columns, values)
		return err
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := decodeInfluxQL(bytes.NewReader(text), row)
		requireKnown(t, err)
		err = decodeLines(bytes.NewReader(text), func(r map[string]any) error {
			values := make([]any, len(eventColumns))
			for i, name := range eventColumns {
				values[i] = r[name]
			}
			return row(eventColumns, values)
		})
		requireKnown(t, err)
	})
}

func requireKnown(t *testing.T, err error) {
	t.Helper()
	var e *Error
	require.True(t, err == nil || errors.As(err, &e), "%v", err)
}
