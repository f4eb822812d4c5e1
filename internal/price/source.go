package price

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultReloadInterval is how often the file is looked at by default.
	DefaultReloadInterval = time.Minute
	// DefaultMaxFileBytes bounds the price file by default.
	DefaultMaxFileBytes = 16 << 20
)

// Options say what a Source is made of.
type Options struct {
	// File is the path of a price file, in our format or in the open format of
	// genai-prices; empty for none.
	File string
	// ReloadInterval is how often Run looks at the file; 0 means
	// DefaultReloadInterval, a negative one never.
	ReloadInterval time.Duration
	// Rules are the user's own prices.
	Rules []Rule
	// CacheSize bounds the names that a Book remembers; 0 means DefaultCacheSize.
	CacheSize int
	// MaxFileBytes bounds the file; 0 means DefaultMaxFileBytes.
	MaxFileBytes int64
	// OnReload is called by Run after a new book is in use; optional.
	OnReload func(*Book)
	// OnError is called by Run once for each different reason why the file cannot
	// be used; optional.
	OnError func(error)
}

// Source holds the current Book.
type Source struct {
	options Options
	rules   []rule
	below   []layer
	book    atomic.Pointer[Book]

	mu   sync.Mutex
	sum  [sha256.Size]byte // of the file as last read, good or bad
	last error             // what was wrong with it
}

// Open reads the rules and the file. Both must be right, because at the start
// somebody is there to read the error; later a bad file only leaves the old book.
func Open(o Options) (*Source, error) {
	rules, err := compileRules(o.Rules)
	if err != nil {
		return nil, err
	}
	layers, err := embedded()
	if err != nil {
		return nil, err
	}
	if o.ReloadInterval == 0 {
		o.ReloadInterval = DefaultReloadInterval
	}
	if o.MaxFileBytes <= 0 {
		o.MaxFileBytes = DefaultMaxFileBytes
	}
	s := &Source{options: o, rules: rules, below: layers}
	s.book.Store(newBook(rules, layers, o.CacheSize))
	if o.File != "" {
		if _, err := s.Reload(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Book returns the current book.
func (s *Source) Book() *Book { return s.book.Load() }

// Reload reads the file and, when its content has changed and is right, exchanges the
// book. It returns an error as long as the file cannot be used; the old book then
// stays. Without a file it does nothing.
func (s *Source) Reload() (changed bool, err error) {
	if s.options.File == "" {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := s.read()
	if err != nil {
		s.sum = [sha256.Size]byte{}
		return false, err
	}
	sum := sha256.Sum256(data)
	if sum == s.sum {
		return false, s.last
	}
	s.sum = sum
	t, err := decodeTable(data, "sha256:"+hex.EncodeToString(sum[:6]))
	if err != nil {
		s.last = fmt.Errorf("price file %s: %w", s.options.File, err)
		return false, s.last
	}
	s.last = nil
	s.book.Store(newBook(s.rules, slices.Concat([]layer{{name: "file", table: t}}, s.below), s.options.CacheSize))
	return true, nil
}

func (s *Source) read() ([]byte, error) {
	f, err := os.Open(s.options.File)
	if err != nil {
		return nil, fmt.Errorf("price file: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, s.options.MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("price file: %w", err)
	}
	if int64(len(data)) > s.options.MaxFileBytes {
		return nil, fmt.Errorf("price file %s: more than %d bytes", s.options.File, s.options.MaxFileBytes)
	}
	return data, nil
}

// Run looks at the file again and again until ctx ends. It returns at once when there
// is no file or the interval is negative.
func (s *Source) Run(ctx context.Context) {
	if s.options.File == "" || s.options.ReloadInterval < 0 {
		return
	}
	ticker := time.NewTicker(s.options.ReloadInterval)
	defer ticker.Stop()
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := s.Reload()
		switch {
		case err != nil:
			if told != err.Error() && s.options.OnError != nil {
				s.options.OnError(err)
			}
			told = err.Error()
		default:
			told = ""
			if changed && s.options.OnReload != nil {
				s.options.OnReload(s.Book())
			}
		}
	}
}
