// Command gen writes the price tables that package price embeds, from open tables:
//
//	go run ./internal/price/gen -data ../shared/data/prices -out internal/price
//
// The result depends on the tables only. Attribution is in NOTICE.md beside it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := os.Getenv("SENTINEL_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	data := flag.String("data", filepath.Join(root, "prices"), "folder of the open price tables (default $SENTINEL_DATA/prices)")
	out := flag.String("out", ".", "folder to write snapshot.json and supplement.json to")
	flag.Parse()
	if err := run(*data, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(data, out string) error {
	files, err := generate(data)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil { //nolint:gosec // files of the repository are public
			return err
		}
	}
	return nil
}

// generate returns the content of the embedded tables by file name.
func generate(data string) (map[string][]byte, error) {
	main, err := readOpenTable(filepath.Join(data, "genai_prices_v2_data_slim.json"))
	if err != nil {
		return nil, err
	}
	litellm, err := readLiteLLM(filepath.Join(data, "tokencost_litellm_copy_2025-09.json"))
	if err != nil {
		return nil, err
	}
	langfuse, err := readLangfuse(filepath.Join(data, "langfuse_default_model_prices.json"))
	if err != nil {
		return nil, err
	}
	if err := addServiceTiers(main, langfuse, litellm); err != nil {
		return nil, err
	}
	snapshot, err := main.encode()
	if err != nil {
		return nil, err
	}
	extra, err := supplement(snapshot, litellm)
	if err != nil {
		return nil, err
	}
	rest, err := extra.encode()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"snapshot.json": snapshot, "supplement.json": rest}, nil
}
