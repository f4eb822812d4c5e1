package export

import (
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// A row group is held in memory until it is full.
const (
	rowsPerGroup = 64 << 10
	rowsPerWrite = 256
)

type parquetWriter[T, R any] struct {
	w    *parquet.GenericWriter[R]
	row  func(*T) R
	rows []R
}

func newParquet[T, R any](w io.Writer, row func(*T) R) *parquetWriter[T, R] {
	return &parquetWriter[T, R]{
		row: row, rows: make([]R, 0, rowsPerWrite),
		w: parquet.NewGenericWriter[R](w,
			parquet.Compression(&zstd.Codec{}),
			parquet.MaxRowsPerRowGroup(rowsPerGroup),
			parquet.CreatedBy("llm-sentinel", "", ""),
		),
	}
}

func (p *parquetWriter[T, R]) Write(row *T) error {
	p.rows = append(p.rows, p.row(row))
	if len(p.rows) < cap(p.rows) {
		return nil
	}
	return p.flush()
}

func (p *parquetWriter[T, R]) flush() error {
	_, err := p.w.Write(p.rows)
	clear(p.rows)
	p.rows = p.rows[:0]
	return err
}

func (p *parquetWriter[T, R]) Close() error {
	if err := p.flush(); err != nil {
		return err
	}
	return p.w.Close()
}
