//go:build unix

// Package brokertest runs a private RabbitMQ broker for tests: on loopback, on
// free ports, with its own Erlang node, port mapper and folders.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// ErrNotInstalled tells that this machine has no broker.
var ErrNotInstalled = errors.New("rabbitmq-server is not installed")

// bootTimeout is generous, a loaded machine boots an Erlang node slowly.
const bootTimeout = 2 * time.Minute

// Broker is one private broker. Its methods are for one goroutine at a time.
type Broker struct {
	dir                string
	server, epmd       *exec.Cmd
	serverBin, epmdBin string
	port, tls          int
	dist, mapper       int
}

// New finds the installed broker and prepares a place for it. Close removes it.
func New() (*Broker, error) {
	b := &Broker{}
	// The script below lib runs as the current user, the one on PATH may insist on another.
	b.serverBin = firstOf("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
	b.epmdBin = firstOf("epmd")
	if b.serverBin == "" || b.epmdBin == "" {
		return nil, ErrNotInstalled
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	b.port, b.tls, b.dist, b.mapper = ports[0], ports[1], ports[2], ports[3]
	if b.dir, err = os.MkdirTemp("", "rabbitmq-test-"); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`listeners.tcp.default = 127.0.0.1:%d
listeners.ssl.default = 127.0.0.1:%d
ssl_options.cacertfile = %s
ssl_options.certfile = %s
ssl_options.keyfile = %s
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
ssl_cert_login_from = common_name
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = EXTERNAL
`, b.port, b.tls, b.CAFile(), b.path("server.pem"), b.path("server.key"))
	return b, errors.Join(
		b.writeCerts("guest"),
		os.WriteFile(b.path("rabbitmq.conf"), []byte(conf), 0o600),
		os.WriteFile(b.path("enabled_plugins"), []byte("[rabbitmq_auth_mechanism_ssl].\n"), 0o600),
		os.Mkdir(b.path("mnesia"), 0o700),
		os.Mkdir(b.path("log"), 0o700),
	)
}

// Endpoint is the address of the broker, without credentials.
func (b *Broker) Endpoint() string { return fmt.Sprintf("amqp://127.0.0.1:%d", b.port) }

// TLSEndpoint is the address for TLS. The broker's certificate is by CAFile.
func (b *Broker) TLSEndpoint() string { return fmt.Sprintf("amqps://127.0.0.1:%d", b.tls) }

// Start boots the broker and waits until it takes connections.
func (b *Broker) Start(ctx context.Context) error {
	if b.epmd == nil {
		epmd, err := b.spawn(b.epmdBin, "-port", strconv.Itoa(b.mapper), "-address", "127.0.0.1")
		if err != nil {
			return err
		}
		b.epmd = epmd
	}
	server, err := b.spawn(b.serverBin)
	if err != nil {
		return err
	}
	b.server = server
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := amqp.Dial(b.Endpoint()); err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			out, _ := os.ReadFile(b.path("output"))
			return fmt.Errorf("the broker did not boot: %w\n%s", ctx.Err(), out[max(0, len(out)-2000):])
		}
	}
}

// Kill ends the broker without a chance to tidy up; Start boots it again on
// the same data.
func (b *Broker) Kill() error {
	err := end(b.server)
	b.server = nil
	return err
}

// Close ends everything and removes the folder.
func (b *Broker) Close() error {
	err := errors.Join(end(b.server), end(b.epmd), os.RemoveAll(b.dir))
	b.server, b.epmd = nil, nil
	return err
}

func (b *Broker) path(name string) string { return filepath.Join(b.dir, name) }

// spawn starts a command in a process group of its own, because the server is
// a script with children.
func (b *Broker) spawn(bin string, args ...string) (*exec.Cmd, error) {
	out, err := os.OpenFile(b.path("output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, b.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(),
		"HOME="+b.dir,
		fmt.Sprintf("RABBITMQ_NODENAME=sentinel%d@localhost", b.port),
		"RABBITMQ_MNESIA_BASE="+b.path("mnesia"),
		"RABBITMQ_LOG_BASE="+b.path("log"),
		"RABBITMQ_CONFIG_FILE="+b.path("rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+b.path("enabled_plugins"),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(b.dist),
		"ERL_EPMD_PORT="+strconv.Itoa(b.mapper),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
	)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", bin, err)
	}
	return cmd, nil
}

// end kills the process group that spawn made.
func end(cmd *exec.Cmd) error {
	if cmd == nil {
		return nil
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

func firstOf(names ...string) string {
	for _, n := range names {
		if p, err := exec.LookPath(n); err == nil {
			return p
		}
	}
	return ""
}

func freePorts(n int) ([]int, error) {
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out, nil
}
