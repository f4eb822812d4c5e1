package influx3test

import (
	"bytes"
	"testing"
)

// FuzzParse: no query makes the server panic, whatever it says.
func FuzzParse(f *testing.F) {
	for _, sql := range []string{
		`SELECT * FROM "m" WHERE "a" = $p AND (b < 1 OR NOT c IS NOT NULL) ORDER BY time DESC LIMIT 5`,
		`SELECT count(*) AS n, min(b) FROM m WHERE time >= '2024-01-01T00:00:00Z'`, `SELECT`, `'`, `$`, `"`, `-`, `SELECT count(`,
	} {
		f.Add(sql)
	}
	d := &database{tables: map[string]*table{}}
	changed := map[string]*table{}
	if err := d.writeLine([]byte(`m,a=x b=1i,c="y" 5`), precisions["ns"], changed); err != nil {
		f.Fatal(err)
	}
	d.commit("m", changed["m"])
	f.Fuzz(func(t *testing.T, sql string) {
		s, err := parse(sql, map[string]any{"p": "x"})
		if err != nil {
			return
		}
		if res, err := d.run(s); err == nil {
			if _, err := res.encode("jsonl"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzWriteLine: any text is lines or errors, and cutting loses nothing.
func FuzzWriteLine(f *testing.F) {
	f.Add([]byte("m,a=b x=1i 5\nm s=\"a\nb\\\"\" 6\n"))
	f.Add([]byte("\\\n\"\n\" \"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d := &database{tables: map[string]*table{}}
		size := 0
		for _, line := range splitLines(text) {
			size += len(line)
			changed := map[string]*table{}
			if err := d.writeLine(line, precisions["ns"], changed); err == nil {
				for name, tab := range changed {
					d.commit(name, tab)
				}
			}
		}
		if breaks := bytes.Count(text, []byte("\n")); size+breaks < len(text) {
			t.Fatalf("%d of %d bytes are lost", len(text)-size-breaks, len(text))
		}
	})
}
