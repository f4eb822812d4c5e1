package sentineljsonencodingextension

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	filePrefix = "dead-letter-"
	fileSuffix = ".jsonl"
	// fileTime sorts names by time.
	fileTime = "20060102T150405.000000000Z"
)

// fileRecord is one line of a dead letter file.
type fileRecord struct {
	Time     string `json:"time"`
	Encoding string `json:"encoding"`
	Format   string `json:"format,omitempty"`
	Reason   reason `json:"reason"`
	Error    string `json:"error"`
	// Message is the record as it stood, in base64.
	Message []byte `json:"message_base64"`
}

// fileSink appends lines to a file and begins a new one when it is full, and at
// each start.
type fileSink struct {
	cfg      *FileConfig
	encoding string
	removed  func(names []string)

	mu   sync.Mutex
	file *os.File
	size int64
}

func newFileSink(cfg *FileConfig, encoding string, removed func([]string)) (*fileSink, error) {
	if err := os.MkdirAll(cfg.Directory, 0o700); err != nil {
		return nil, err
	}
	// A folder that cannot be written shows now, not with the first record.
	probe, err := os.CreateTemp(cfg.Directory, ".probe-*")
	if err != nil {
		return nil, err
	}
	return &fileSink{cfg: cfg, encoding: encoding, removed: removed}, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// write appends the letters in one go and has the file on disk before it
// returns. After an error the next write begins a new file, so that half a line
// is never continued.
func (s *fileSink) write(_ context.Context, list []letter) ([]letter, int, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for i := range list {
		l := &list[i]
		err := enc.Encode(fileRecord{
			Time: l.time.UTC().Format(time.RFC3339Nano), Encoding: s.encoding, Format: l.format,
			Reason: l.err.reason, Error: l.err.text, Message: l.message,
		})
		if err != nil {
			return list, 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(b.Bytes()); err != nil {
		if s.file != nil {
			_ = s.file.Close()
			s.file = nil
		}
		return list, 0, err
	}
	return nil, 0, nil
}

func (s *fileSink) append(b []byte) error {
	if s.file != nil && s.size+int64(len(b)) > s.cfg.MaxFileBytes {
		err := s.file.Close()
		s.file = nil
		if err != nil {
			return err
		}
	}
	if s.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	if _, err := s.file.Write(b); err != nil {
		return err
	}
	s.size += int64(len(b))
	return s.file.Sync()
}

// open begins a new file, removing the oldest ones where there are too many.
func (s *fileSink) open() error {
	if err := s.makeRoom(); err != nil {
		return err
	}
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	name := filePrefix + time.Now().UTC().Format(fileTime) + "-" + hex.EncodeToString(random[:]) + fileSuffix
	f, err := os.OpenFile(filepath.Join(s.cfg.Directory, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // the folder is the configured one
	if err != nil {
		return err
	}
	if err := syncDirectory(s.cfg.Directory); err != nil {
		return errors.Join(err, f.Close())
	}
	s.file, s.size = f, 0
	return nil
}

func (s *fileSink) makeRoom() error {
	names, err := filepath.Glob(filepath.Join(s.cfg.Directory, filePrefix+"*"+fileSuffix))
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	over := len(names) - s.cfg.MaxFiles + 1
	if over <= 0 {
		return nil
	}
	slices.Sort(names)
	for _, name := range names[:over] {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	s.removed(names[:over])
	return nil
}

// syncDirectory makes the name of a new file durable.
func syncDirectory(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the folder is the configured one
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *fileSink) close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
