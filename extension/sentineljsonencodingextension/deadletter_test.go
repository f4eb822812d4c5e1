package sentineljsonencodingextension

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
)

const (
	deadline = 30 * time.Second
	interval = 5 * time.Millisecond
)

func withFile(dir string, change func(*FileConfig)) func(*Config) {
	return func(c *Config) {
		f := FileConfig{Directory: dir, MaxFileBytes: defaultMaxFileBytes, MaxFiles: defaultMaxFiles}
		if change != nil {
			change(&f)
		}
		c.DeadLetter.File = configoptional.Some(f)
	}
}

// records reads the files of a folder, oldest first.
func records(t *testing.T, dir string) (list []fileRecord, files int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "dead-letter-*.jsonl"))
	require.NoError(t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range bytes.Lines(text) {
			var r fileRecord
			require.NoError(t, json.Unmarshal(line, &r))
			list = append(list, r)
		}
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.EqualValues(t, 0o600, info.Mode().Perm(), "messages are private")
	}
	return list, len(names)
}

func TestDeadLetterFileHoldsTheBytesReasonAndTime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	u := newUnderTest(t, withFile(dir, nil))
	_, err := u.UnmarshalTraces([]byte(oneEvent))
	require.NoError(t, err)
	_, files := records(t, dir)
	require.Zero(t, files, "no file without a dead letter")

	before := time.Now()
	td, err := u.UnmarshalTraces([]byte(oneEvent + "\n\x00\xff\n{\"model\":\"m\"}"))
	require.NoError(t, err)
	assert.Equal(t, 1, td.SpanCount())
	list, _ := records(t, dir)
	require.Len(t, list, 2)
	assert.Equal(t, []string{"\x00\xff", `{"model":"m"}`}, []string{string(list[0].Message), string(list[1].Message)})
	assert.Equal(t, []reason{reasonInvalidJSON, reasonMissingField}, []reason{list[0].Reason, list[1].Reason})
	assert.Equal(t, "timestamp is missing or null", list[1].Error)
	assert.Equal(t, []string{"json", "sentinel_json_encoding"}, []string{list[0].Format, list[0].Encoding})
	at, err := time.Parse(time.RFC3339Nano, list[0].Time)
	require.NoError(t, err)
	assert.WithinRange(t, at, before, time.Now())
	assert.Equal(t, map[string]int64{"written": 2}, u.sum(t, "sentinel_encoding_dead_letters_total", "outcome"))
}

// A receiver repeats a message whose good events the pipeline did not take.
func TestRepeatedMessageLeavesOneDeadLetter(t *testing.T) {
	dir := t.TempDir()
	u := newUnderTest(t, withFile(dir, nil))
	for range 3 {
		td, err := u.UnmarshalTraces([]byte(oneEvent + "\nbad"))
		require.NoError(t, err)
		assert.Equal(t, 1, td.SpanCount())
	}
	list, _ := records(t, dir)
	assert.Len(t, list, 1)
	assert.Equal(t, map[string]int64{"written": 1, "repeated": 2}, u.sum(t, "sentinel_encoding_dead_letters_total", "outcome"))
}

func TestRecentForgetsTheOldest(t *testing.T) {
	r := newRecent(3)
	for i := range byte(10) {
		r.add([32]byte{i})
		r.add([32]byte{i})
	}
	assert.Len(t, r.set, 3)
	assert.False(t, r.has([32]byte{6}))
	assert.True(t, r.has([32]byte{7}))
}

func TestFullFilesAreTurnedAndTheOldestRemoved(t *testing.T) {
	dir := t.TempDir()
	u := newUnderTest(t, withFile(dir, func(f *FileConfig) { f.MaxFileBytes, f.MaxFiles = minMaxFileBytes, 3 }))
	const n = 40
	for i := range n {
		_, err := u.UnmarshalTraces([]byte(fmt.Sprint(i, strings.Repeat("x", 12_000))))
		require.NoError(t, err)
	}
	list, files := records(t, dir)
	assert.Equal(t, 3, files)
	require.NotEmpty(t, list)
	for i := range list {
		assert.True(t, bytes.HasPrefix(list[i].Message, fmt.Append(nil, n-len(list)+i, "x")), "the newest are kept, in order")
	}
	assert.Positive(t, u.sum(t, "sentinel_encoding_dead_letter_files_removed_total", "encoding")["sentinel_json_encoding"])
	assert.Equal(t, map[string]int64{"written": n}, u.sum(t, "sentinel_encoding_dead_letters_total", "outcome"))
}

// A message with a dead letter that cannot be written is not done.
func TestMessageWaitsForItsDeadLetter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	u := newUnderTest(t, withFile(dir, nil))
	require.NoError(t, os.RemoveAll(dir))
	done := make(chan error, 1)
	go func() {
		_, err := u.UnmarshalTraces([]byte("bad"))
		done <- err
	}()
	require.Eventually(t, func() bool {
		return u.sum(t, "sentinel_encoding_dead_letter_errors_total", "encoding")["sentinel_json_encoding"] >= 2
	}, deadline, interval)
	select {
	case err := <-done:
		require.Fail(t, "the message was done", "%v", err)
	default:
	}
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, <-done)
	list, _ := records(t, dir)
	require.Len(t, list, 1)
	assert.Equal(t, 1, u.logs.FilterMessage("dead letters cannot be written; the message waits").Len(), "logged once")
	assert.Equal(t, 1, u.logs.FilterMessage("dead letters can be written again").Len())
}

// Receivers wait for messages that are being decoded when they stop.
func TestWaitingEndsWhenTheCollectorStops(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	u := newUnderTest(t, withFile(dir, nil))
	require.NoError(t, u.Ready())
	require.NoError(t, os.RemoveAll(dir))
	done := make(chan error, 1)
	go func() {
		_, err := u.UnmarshalTraces([]byte(oneEvent + "\nbad"))
		done <- err
	}()
	require.Eventually(t, func() bool {
		return u.sum(t, "sentinel_encoding_dead_letter_errors_total", "encoding")["sentinel_json_encoding"] >= 1
	}, deadline, interval)
	require.NoError(t, u.NotReady())
	require.ErrorIs(t, <-done, errGaveUp, "so that the receiver may have it again")
	assert.Equal(t, map[string]int64{"gave_up": 1}, u.sum(t, "sentinel_encoding_dead_letters_total", "outcome"))
}

func TestFolderThatCannotBeMadeFailsTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := newFileSink(&FileConfig{Directory: file, MaxFileBytes: minMaxFileBytes, MaxFiles: 1}, "e", nil)
	require.Error(t, err)
}

// picky is a sink that fails twice, then takes one letter at a time, and can
// never take those with "large" in them.
type picky struct {
	mu    sync.Mutex
	calls int
	took  []string
}

func (p *picky) write(_ context.Context, list []letter) ([]letter, int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls++; p.calls <= 2 {
		return list, 0, errors.New("away")
	}
	if bytes.Contains(list[0].message, []byte("large")) {
		if len(list) == 1 {
			return nil, 1, nil
		}
		return list[1:], 1, errors.New("one was refused")
	}
	p.took = append(p.took, string(list[0].message))
	if len(list) == 1 {
		return nil, 0, nil
	}
	return list[1:], 0, errors.New("no more now")
}

func (*picky) close(context.Context) error { return nil }

func TestOnlyWhatIsLeftIsTriedAgain(t *testing.T) {
	u := newUnderTest(t, nil)
	p := &picky{}
	u.deadLetters.sinks = []sink{p}
	_, err := u.UnmarshalTraces([]byte("a\n{large\n{\"b\":1}\n[]"))
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"a", `{"b":1}`}, p.took)
	assert.Equal(t, map[string]int64{"written": 2, "refused": 1}, u.sum(t, "sentinel_encoding_dead_letters_total", "outcome"))
}

func TestBrokerThatIsAwayIsWaitedFor(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	u := newUnderTest(t, func(c *Config) {
		c.DeadLetter.Kafka = configoptional.Some(KafkaConfig{
			Brokers: []string{address}, Topic: "t", ClientID: "c",
			SASL: configoptional.Some(SASLConfig{Mechanism: "PLAIN", Username: "u", Password: "secret-password"}),
		})
	})
	u.deadLetters.attempt = 50 * time.Millisecond
	done := make(chan error, 1)
	go func() {
		_, err := u.UnmarshalTraces([]byte("bad"))
		done <- err
	}()
	require.Eventually(t, func() bool {
		return u.sum(t, "sentinel_encoding_dead_letter_errors_total", "encoding")["sentinel_json_encoding"] >= 2
	}, deadline, interval)
	require.NoError(t, u.NotReady())
	require.ErrorIs(t, <-done, errGaveUp)
	for _, e := range u.logs.All() {
		assert.NotContains(t, fmt.Sprint(e.Message, e.ContextMap()), "secret-password")
	}
}

func TestManyGoroutinesShareTheExtension(t *testing.T) {
	dir := t.TempDir()
	u := newUnderTest(t, withFile(dir, nil))
	var wg sync.WaitGroup
	const goroutines, each = 8, 20
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				td, err := u.UnmarshalTraces(fmt.Appendf(nil, "%s\nbad %d %d", oneEvent, g, i))
				assert.NoError(t, err)
				assert.Equal(t, 1, td.SpanCount())
			}
		})
	}
	wg.Wait()
	list, _ := records(t, dir)
	assert.Len(t, list, goroutines*each)
}
