package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/redact"
)

// telemetryValues is how many values shaped like telemetry are looked at.
const telemetryValues = 1_000_000

// shape makes one kind of value.
type shape struct {
	name string
	make func(g *generator) string
}

// generator makes random values; seeded, so every run has the same.
type generator struct{ *rand.Rand }

func (g *generator) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return hex.EncodeToString(b)
}

func (g *generator) text(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.IntN(len(alphabet))]
	}
	return string(b)
}

func (g *generator) uuid() string {
	h := g.hex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-" + string("89ab"[g.IntN(4)]) + h[17:20] + "-" + h[20:]
}

// moment is a time of the years 2001 to 2033 in nanoseconds, so that seconds have ten digits.
func (g *generator) moment() int64 {
	return (1_000_000_000 + g.Int64N(1_000_000_000)) * int64(time.Second)
}

const (
	lowerDigits = "0123456789abcdefghijklmnopqrstuvwxyz"
	base62      = lowerDigits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	crockford   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

var shapes = []shape{
	{"trace id", func(g *generator) string { return g.hex(16) }},
	{"span id", func(g *generator) string { return g.hex(8) }},
	{"traceparent", func(g *generator) string { return "00-" + g.hex(16) + "-" + g.hex(8) + "-01" }},
	{"UUID", func(g *generator) string { return g.uuid() }},
	{"epoch s", func(g *generator) string { return strconv.FormatInt(g.moment()/1e9, 10) }},
	{"epoch ms", func(g *generator) string { return strconv.FormatInt((g.moment()+g.Int64N(1e9))/1e6, 10) }},
	{"epoch us", func(g *generator) string { return strconv.FormatInt((g.moment()+g.Int64N(1e9))/1e3, 10) }},
	{"epoch ns", func(g *generator) string { return strconv.FormatInt(g.moment()+g.Int64N(1e9), 10) }},
	{"epoch s, fraction", func(g *generator) string {
		return fmt.Sprintf("%d.%06d", g.moment()/1e9, g.IntN(1e6))
	}},
	{"semantic version", func(g *generator) string {
		v := fmt.Sprintf("%d.%d.%d", g.IntN(30), g.IntN(200), g.IntN(2000))
		switch g.IntN(4) {
		case 0:
			return "v" + v
		case 1:
			return v + fmt.Sprintf("-rc.%d+build.%d", g.IntN(20), g.IntN(100000))
		case 2:
			return v + "+" + time.Unix(0, g.moment()).UTC().Format("20060102150405")
		}
		return v
	}},
	{"MD5", func(g *generator) string { return strings.ToUpper(g.hex(16)) }},
	{"SHA-1", func(g *generator) string { return g.hex(20) }},
	{"SHA-256", func(g *generator) string { return "sha256:" + g.hex(32) }},
	{"short commit", func(g *generator) string { return g.hex(6)[:7+g.IntN(6)] }},
	{"hash, base64", func(g *generator) string {
		b, err := hex.DecodeString(g.hex(32))
		if err != nil {
			panic(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}},
	{"stamp", func(g *generator) string { return time.Unix(0, g.moment()).UTC().Format("20060102150405") }},
	{"RFC 3339", func(g *generator) string { return time.Unix(0, g.moment()).UTC().Format(time.RFC3339Nano) }},
	{"log time", func(g *generator) string { return time.Unix(0, g.moment()).UTC().Format("2006-01-02 15:04:05.000") }},
	{"request id", func(g *generator) string { return "req_" + g.text(base62, 24) }},
	{"response id", func(g *generator) string { return "chatcmpl-" + g.text(base62, 29) }},
	{"call id", func(g *generator) string { return "call_" + g.text(base62, 24) }},
	{"ULID", func(g *generator) string { return "01" + g.text(crockford, 24) }},
	{"snowflake", func(g *generator) string { return "1" + g.text("0123456789", 17+g.IntN(2)) }},
	{"amazon trace", func(g *generator) string { return "1-" + g.hex(4) + "-" + g.hex(12) }},
	{"pod", func(g *generator) string { return "api-" + g.text(lowerDigits, 9) + "-" + g.text(lowerDigits, 5) }},
	{"nanoseconds", func(g *generator) string { return strconv.FormatInt(g.Int64N(1e12), 10) + "ns" }},
	{"decimal", func(g *generator) string { return strconv.FormatFloat(g.Float64(), 'g', -1, 64) }},
}

// carriers are what a value stands in; %s is the value.
var carriers = []string{
	"%s", `{"trace_id":"%s"}`, "request id %s failed", "id=%s", "completed span %s of the run", "[%s] GET /v1/chat", "timestamp: %s",
}

// telemetryHits returns in how many of n values something is found.
func telemetryHits(s *redact.Scanner, n int, out *strings.Builder) int {
	g := &generator{rand.New(rand.NewPCG(1, 2))}
	hits := map[string]int{}
	total := 0
	var found []redact.Match
	for i := range n {
		sh := shapes[i%len(shapes)]
		text := strings.Replace(carriers[i/len(shapes)%len(carriers)], "%s", sh.make(g), 1)
		found = s.Scan(found[:0], text)
		if len(found) > 0 {
			hits[sh.name]++
			total++
			if hits[sh.name] <= 3 {
				fmt.Fprintf(out, "false hit: %s as %s (%s)\n", text, found[0].Type, found[0].Rule)
			}
		}
	}
	fmt.Fprintf(out, "%d values of %d shapes of telemetry: %d with a hit\n", n, len(shapes), total)
	return total
}
