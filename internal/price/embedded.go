package price

import (
	_ "embed"
	"fmt"
	"sync"
)

// snapshot is the newest open table with service tiers; supplement holds models that
// it lacks, from an older table. Both are written by ./gen; see NOTICE.md.
var (
	//go:embed snapshot.json
	snapshot []byte
	//go:embed supplement.json
	supplement []byte
)

// embedded returns the layers that are built in.
var embedded = sync.OnceValues(func() ([]layer, error) {
	var layers []layer
	for _, data := range [][]byte{snapshot, supplement} {
		t, err := decodeTable(data, "")
		if err != nil {
			return nil, fmt.Errorf("embedded prices: %w", err)
		}
		layers = append(layers, layer{name: "embedded", table: t})
	}
	return layers, nil
})

// Embedded returns a book with the prices that are built in.
func Embedded() (*Book, error) {
	layers, err := embedded()
	if err != nil {
		return nil, err
	}
	return newBook(nil, layers, 0), nil
}

// Decode returns a book with the prices of one file only, in our format or in the open
// format of genai-prices. Errors name the field and the value that is wrong.
func Decode(data []byte) (*Book, error) {
	t, err := decodeTable(data, "")
	if err != nil {
		return nil, err
	}
	return newBook(nil, []layer{{name: "file", table: t}}, 0), nil
}
