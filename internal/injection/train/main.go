// Train makes internal/injection/model.bin of the public sets.
//
//	go run ./internal/injection/train [-data ../shared/data] [-out internal/injection/model.bin]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"

	"github.com/llm-devops/llm-sentinel/internal/injection/corpus"
	"github.com/llm-devops/llm-sentinel/internal/injection/learn"
)

func main() {
	data := flag.String("data", cmp.Or(os.Getenv("SENTINEL_DATA"), "../shared/data"), "folder of the public sets")
	out := flag.String("out", "internal/injection/model.bin", "model file to write")
	flag.Parse()
	if err := run(*data, *out); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(data, out string) error {
	sources, err := corpus.Load(data)
	if err != nil {
		return err
	}
	items := learn.Trainable(corpus.Build(corpus.Distinct(sources)))
	m, err := learn.Train(items)
	if err != nil {
		return err
	}
	file := m.Bytes()
	if err := os.WriteFile(out, file, 0o600); err != nil {
		return err
	}
	fmt.Printf("%s: %d texts, %d bytes, thresholds %.4f (trusted) and %.4f (untrusted)\n",
		out, len(items), len(file), m.Thresholds[0], m.Thresholds[1])
	return nil
}
