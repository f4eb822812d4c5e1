package injection

import (
	"strings"
	"testing"
)

// kilobyte is 1 KiB of plain text without a rule hit.
var kilobyte = strings.Repeat("The committee met on Tuesday, and discussed the figures of the last quarter in Lisbon. "+
	"Sales rose by 4 percent; costs fell. Nobody was surprised, said Anna Olsen (47). ", 7)[:1024]

func BenchmarkScore(b *testing.B) {
	d, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(kilobyte)))
	b.ReportAllocs()
	for b.Loop() {
		d.Score(kilobyte, User)
	}
}
