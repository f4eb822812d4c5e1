package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is the server, seen from outside.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	base string
	end  time.Time // of the hour that was stored
}

func startProcess(ctx context.Context, dir string, events int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve", dir, "-events", strconv.Itoa(events)) //nolint:gosec // this program itself
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	line, err := p.line()
	var nanos int64
	if err == nil {
		_, err = fmt.Sscanf(line, "ready %s %d", &p.base, &nanos)
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	p.base, p.end = "http://"+p.base, time.Unix(0, nanos).UTC()
	return p, nil
}

func (p *process) line() (string, error) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSpace(line), err
}

// tell sends a command, ask also reads its answer.
func (p *process) tell(command string) error {
	_, err := io.WriteString(p.in, command+"\n")
	return err
}

func (p *process) ask(command string) (float64, error) {
	if err := p.tell(command); err != nil {
		return 0, err
	}
	line, err := p.line()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(line, 64)
}

func (p *process) quit() error {
	if err := p.tell("quit"); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := l.Addr().String()
	return addr, errors.Join(l.Close())
}
