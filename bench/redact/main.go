// Command redact measures the speed of the scanner for personal data and secrets on
// clean text, with all types and rules on, and compares it with Go regular
// expressions that are tried one by one.
//
// Times are processor times of the process, the minimum of the runs: on a busy
// machine a wall clock measures the neighbours.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/redact"
)

func main() {
	folder := flag.String("folder", os.Getenv("SENTINEL_DATA"), "folder with benign_instructions; generated text only when it is missing")
	runs := flag.Int("runs", 5, "runs; the minimum counts")
	flag.Parse()
	if err := run(*folder, *runs, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-redact:", err)
		os.Exit(1)
	}
}

// corpus is a text, in pieces as a collector gets them.
type corpus struct {
	name   string
	pieces []string
	bytes  int
}

func newCorpus(name string, pieces []string) corpus {
	c := corpus{name: name, pieces: pieces}
	for _, p := range pieces {
		c.bytes += len(p)
	}
	return c
}

// run measures and writes the report to w.
func run(folder string, runs int, w io.Writer) error {
	var out strings.Builder
	if err := report(folder, runs, &out); err != nil {
		return err
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func report(folder string, runs int, out *strings.Builder) error {
	if runs < 1 || runs > 1000 {
		return fmt.Errorf("runs must be in 1..1000, got %d", runs)
	}
	runtime.GOMAXPROCS(1)
	corpora := []corpus{newCorpus("generated prose and code", generated(4<<20))}
	code, err := instructions(filepath.Join(folder, "benign_instructions", "gpteacher_codegen.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintln(out, "benign_instructions/gpteacher_codegen.json is not there: generated text only")
	case err != nil:
		return err
	default:
		corpora = append(corpora, newCorpus("code-generation prompts", code))
	}
	all, err := redact.NewScanner(redact.Options{})
	if err != nil {
		return err
	}
	slowest := 0.0
	for _, c := range corpora {
		// What is found would cost more than what is clean: leave it out.
		c = newCorpus(c.name, clean(all, c.pieces))
		speed := megabytes(c, runs, scanner(all))
		if slowest == 0 || speed < slowest {
			slowest = speed
		}
		fmt.Fprintf(out, "\n%s, %.1f MB in %d texts\n", c.name, float64(c.bytes)/1e6, len(c.pieces))
		if err := table(out, c, runs, speed); err != nil {
			return err
		}
		if err := against(out, c, runs, speed, c.name == corpora[len(corpora)-1].name); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "RESULT redact.clean_mb_per_s %.1f MB/s\n", slowest)
	return nil
}

func scanner(s *redact.Scanner) func(string) {
	var found []redact.Match
	return func(text string) { found = s.Scan(found[:0], text) }
}

// table prints the speed by groups of types.
func table(out *strings.Builder, c corpus, runs int, all float64) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "scanner with\tMB/s\n")
	fmt.Fprintf(w, "everything\t%.0f\n", all)
	for _, types := range [][]string{{"pii"}, {"secret"}, {"email"}, {"credit_card"}, {"phone"}, {"ip_address"}} {
		s, err := redact.NewScanner(redact.Options{Types: types})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%.0f\n", types[0], megabytes(c, runs, scanner(s)))
	}
	return w.Flush()
}

// expressions are what one would write as regular expressions for some of the types.
var expressions = []struct{ name, expr string }{
	{"e-mail", `[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`},
	{"card", `\b(?:\d[ -]?){13,19}\b`},
	{"phone", `(?:\+\d{1,3}[ -]?)?(?:\(\d{2,4}\)|\d{2,4})[ .-]\d{3,4}[ .-]\d{3,4}\b`},
	{"SSN", `\b\d{3}-\d{2}-\d{4}\b`},
	{"IBAN", `\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b`},
	{"IPv4", `\b(?:\d{1,3}\.){3}\d{1,3}\b`},
	{"MAC", `\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b`},
	{"Ethereum", `\b0x[0-9a-fA-F]{40}\b`},
	{"JWT", `\beyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`},
	{"AWS key", `\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b`},
	{"GitHub token", `\bgh[pousr]_[A-Za-z0-9]{36}\b`},
	{"private key", `-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY`},
	{"password", `(?i)(?:password|passwd|api_?key|secret)\s*[=:]\s*["']?([^\s"']{8,})`},
}

// against compares with expressions that are tried one by one. The last corpus gives
// the RESULT line.
func against(out *strings.Builder, c corpus, runs int, speed float64, last bool) error {
	few := newCorpus(c.name, c.pieces[:max(1, len(c.pieces)/8)])
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Go regexp\tMB/s\n")
	seconds := 0.0
	for _, e := range expressions {
		re, err := regexp.Compile(e.expr)
		if err != nil {
			return err
		}
		mb := megabytes(few, min(runs, 3), func(text string) { re.FindAllStringIndex(text, -1) })
		seconds += 1 / mb
		fmt.Fprintf(w, "%s\t%.1f\n", e.name, mb)
	}
	fmt.Fprintf(w, "these %d, one by one\t%.2f\n", len(expressions), 1/seconds)
	if err := w.Flush(); err != nil {
		return err
	}
	if last {
		fmt.Fprintf(out, "RESULT redact.over_regexp %.1f ratio\n", speed*seconds)
	}
	return nil
}

// megabytes returns how many MB/s f works through, on one core.
func megabytes(c corpus, runs int, f func(string)) float64 {
	best := time.Duration(0)
	for range runs {
		start := processorTime()
		for _, p := range c.pieces {
			f(p)
		}
		if d := processorTime() - start; best == 0 || d < best {
			best = d
		}
	}
	return float64(c.bytes) / 1e6 / max(best.Seconds(), 1e-9)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// clean returns the pieces in which nothing is found.
func clean(s *redact.Scanner, pieces []string) []string {
	var left []string
	for _, p := range pieces {
		if len(s.Scan(nil, p)) == 0 {
			left = append(left, p)
		}
	}
	return left
}

// instructions reads prompts and answers.
func instructions(path string) ([]string, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	if err := json.Unmarshal(b, &rows); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var pieces []string
	for _, r := range rows {
		var one []string
		for _, k := range []string{"instruction", "input", "response", "output"} {
			if s, ok := r[k].(string); ok && s != "" {
				one = append(one, s)
			}
		}
		pieces = append(pieces, strings.Join(one, "\n\n"))
	}
	return pieces, nil
}

const words = `the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were
all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some
could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years
where much your way down should because long each just state those people too mr how little good world make very year still see own work men day
get here between both life being under three never know same last another while us might great go come since against right came take used himself
function return value string token model prompt response answer question tool result error request server client access account key author`

// generated returns texts of prose with some numbers, and of code, of n bytes in all.
func generated(n int) []string {
	r := rand.New(rand.NewPCG(3, 4))
	list := strings.Fields(words)
	var pieces []string
	for total := 0; total < n; {
		var b strings.Builder
		for b.Len() < 400+r.IntN(3000) {
			switch r.IntN(40) {
			case 0:
				fmt.Fprintf(&b, "%d ", r.IntN(5000))
			case 1:
				fmt.Fprintf(&b, "%d.%d%% ", r.IntN(100), r.IntN(100))
			case 2:
				fmt.Fprintf(&b, "\n    if x%d := %s(i, %d); x%d != nil { // %s\n", r.IntN(9), list[r.IntN(len(list))], r.IntN(300), r.IntN(9), list[r.IntN(len(list))])
			case 3:
				b.WriteString("\n- ")
			case 4:
				b.WriteString("\"" + list[r.IntN(len(list))] + "\": ")
			default:
				b.WriteString(list[r.IntN(len(list))])
				b.WriteByte(" .,  "[r.IntN(5)])
			}
		}
		pieces = append(pieces, b.String())
		total += b.Len()
	}
	return pieces
}
