package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// counts are what the sink got since it was last asked.
type counts struct{ Lines, Bytes float64 }

// serve is the sink: it reads line protocol, counts lines and bytes as they were
// sent, and answers like InfluxDB.
func serve(ctx context.Context) error {
	var mu sync.Mutex
	var got counts
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		text := sent
		if r.Header.Get("Content-Encoding") == "gzip" {
			if z, err := gzip.NewReader(bytes.NewReader(sent)); err == nil {
				text, err = io.ReadAll(z)
				if err != nil {
					http.Error(w, err.Error(), http.StatusBadRequest)
					return
				}
			}
		}
		mu.Lock()
		got.Bytes += float64(len(sent))
		got.Lines += float64(bytes.Count(text, []byte{'\n'}))
		mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(w).Encode(got) // the reader notices what is missing
		if r.URL.Query().Has("reset") {
			got = counts{}
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		<-ctx.Done()
		_ = srv.Close() // Serve returns
	}()
	if err := srv.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

type sink struct {
	cmd *exec.Cmd
	url string
}

func startSink(ctx context.Context) (*sink, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-child="+caseSink) //nolint:gosec // the program calls itself
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the sink did not start: %w", err)
	}
	return &sink{cmd: cmd, url: strings.TrimSpace(url)}, nil
}

func (s *sink) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// take waits until the sink has got at least so many lines, and resets it.
func take(ctx context.Context, url string, lines float64, expect bool) (counts, error) {
	deadline := time.Now().Add(time.Minute)
	for {
		got, err := ask(ctx, url+"/counts")
		if err != nil || !expect || got.Lines >= lines {
			if err == nil {
				_, err = ask(ctx, url+"/counts?reset")
			}
			return got, err
		}
		if time.Now().After(deadline) {
			return got, fmt.Errorf("only %.0f of %.0f points have arrived", got.Lines, lines)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func ask(ctx context.Context, url string) (c counts, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return c, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, err
	}
	defer func() { _ = resp.Body.Close() }() // all was read
	return c, json.NewDecoder(resp.Body).Decode(&c)
}
