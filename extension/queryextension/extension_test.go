package queryextension

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

func call(t *testing.T, client *http.Client, method, url string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// callAsync yields nil when the call fails.
func callAsync(t *testing.T, url string) <-chan *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	answered := make(chan *http.Response, 1)
	go func() {
		resp, err := newClient().Do(r)
		if err == nil {
			t.Cleanup(func() { _ = resp.Body.Close() })
		}
		answered <- resp
	}()
	return answered
}

// newClient keeps no connection, so that no test waits for another's.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	s := startExtension(t, nil)
	s.store.addEvents(makeEvent(1, 0))
	c := newClient()
	assert.Equal(t, http.StatusServiceUnavailable, call(t, c, http.MethodGet, s.url+pathReady).StatusCode)
	s.ComponentStatusChanged(componentstatus.NewInstanceID(otlpID, component.KindReceiver, traces), componentstatus.NewEvent(componentstatus.StatusOK))
	require.NoError(t, s.Ready())
	assert.Equal(t, http.StatusOK, call(t, c, http.MethodGet, s.url+pathReady).StatusCode)
	assert.Equal(t, http.StatusOK, call(t, c, http.MethodGet, s.url+pathTelemetry).StatusCode)
	require.NoError(t, s.NotReady())
	assert.Equal(t, http.StatusServiceUnavailable, call(t, c, http.MethodGet, s.url+pathReady).StatusCode)

	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, s.Shutdown(t.Context()), "a second time")
	_, err := c.Get(s.url + pathLive) //nolint:noctx,bodyclose // there is no response
	require.Error(t, err)
	assert.Nil(t, s.host.lastReport(), "an orderly end is no error")
}

func TestShutdownWithoutStart(t *testing.T) {
	t.Parallel()
	s := newStarted(t, nil)
	require.NoError(t, s.Shutdown(t.Context()))
	s.ComponentStatusChanged(componentstatus.NewInstanceID(otlpID, component.KindReceiver), componentstatus.NewEvent(componentstatus.StatusStopped))
	_, err := s.storeReader(t.Context())
	require.ErrorIs(t, err, errNotStarted)
}

func TestStorageIsFoundByItsID(t *testing.T) {
	t.Parallel()
	s := newStarted(t, map[string]any{"storage": "llm_storage/second", "metrics_endpoint": ""})
	s.cfg.HTTP.NetAddr.Endpoint = "127.0.0.1:0"
	assert.Equal(t, []component.ID{component.MustNewIDWithName("llm_storage", "second")}, s.Dependencies())
	require.ErrorIs(t, s.Start(t.Context(), s.host), errStorageNotFound)

	s.cfg.Storage = authID
	err := s.Start(t.Context(), s.host)
	require.ErrorIs(t, err, errStorageWrong)
	require.ErrorContains(t, err, "fake_auth")
	require.NoError(t, s.Shutdown(t.Context()))
}

func TestAuthenticatorIsADependency(t *testing.T) {
	t.Parallel()
	s := newStarted(t, map[string]any{"http": map[string]any{
		"auth": map[string]any{"authenticator": "fake_auth"}, "middlewares": []any{map[string]any{"id": "limiter"}},
	}})
	assert.Equal(t, []component.ID{storageID, authID, component.MustNewID("limiter")}, s.Dependencies())
}

func TestPortThatIsTaken(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	s := newStarted(t, map[string]any{"http": map[string]any{"endpoint": l.Addr().String()}})
	err = s.Start(t.Context(), s.host)
	require.ErrorContains(t, err, "http::endpoint "+l.Addr().String())
	require.ErrorContains(t, err, "in use")
	require.NoError(t, s.Shutdown(t.Context()))
}

func TestBackendThatIsDownDoesNotStopTheCollector(t *testing.T) {
	t.Parallel()
	s := newStarted(t, nil)
	storage := s.host.extensions[storageID].(*fakeStorage)
	storage.fail(errors.New("connection refused"))
	require.NoError(t, s.Start(t.Context(), s.host))
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	url := "http://" + s.listener.Addr().String() + pathTelemetry
	failure(t, call(t, newClient(), http.MethodGet, url), http.StatusServiceUnavailable, codeStorageUnavailable)
	storage.fail(nil)
	assert.Equal(t, http.StatusOK, call(t, newClient(), http.MethodGet, url).StatusCode)
	storage.fail(errors.New("asked again"))
	assert.Equal(t, http.StatusOK, call(t, newClient(), http.MethodGet, url).StatusCode, "the reader is kept")
}

func TestServerThatDiesIsFatal(t *testing.T) {
	t.Parallel()
	s := startExtension(t, nil)
	require.NoError(t, s.listener.Close())
	require.Eventually(t, func() bool { return s.host.lastReport() != nil }, 10*time.Second, time.Millisecond)
	assert.Equal(t, componentstatus.StatusFatalError, s.host.lastReport().Status())
	require.ErrorContains(t, s.host.lastReport().Err(), "query server stopped")
}

func TestShutdownWaitsForRunningRequests(t *testing.T) {
	t.Parallel()
	s := startExtension(t, nil)
	reading := make(chan struct{})
	release := make(chan struct{})
	s.host.extensions[storageID].(*fakeStorage).reader = &gatedReader{fakeReader: s.store, reading: reading, release: release}
	answered := callAsync(t, s.url+pathTelemetry)
	<-reading
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	require.Eventually(t, func() bool {
		_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.listener.Addr().String())
		return err != nil
	}, 10*time.Second, time.Millisecond, "no new connections are taken")
	select {
	case <-stopped:
		t.Fatal("did not wait")
	default:
	}
	close(release)
	resp := <-answered
	require.NotNil(t, resp)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	require.NoError(t, <-stopped)
}

func TestShutdownCancelsRequestsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	s := startExtension(t, nil)
	reading := make(chan struct{})
	s.store.with(func(f *fakeReader) { f.hang = true })
	s.host.extensions[storageID].(*fakeStorage).reader = &gatedReader{fakeReader: s.store, reading: reading}
	answered := callAsync(t, s.url+pathTelemetry)
	<-reading
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Shutdown(ctx))
	resp := <-answered
	require.NotNil(t, resp)
	failure(t, resp, http.StatusServiceUnavailable, codeStorageUnavailable)
}

// gatedReader says when it is asked and may wait before it answers.
type gatedReader struct {
	*fakeReader
	reading chan struct{}
	release chan struct{}
}

func (g *gatedReader) Capabilities() store.Capabilities {
	close(g.reading)
	if g.release != nil {
		<-g.release
	}
	return g.fakeReader.Capabilities()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pool := makeCertificate(t)
	s := startExtension(t, map[string]any{"http": map[string]any{
		"endpoint": "127.0.0.1:0", "tls": map[string]any{"cert_file": certFile, "key_file": keyFile},
	}})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}}
	resp := call(t, client, http.MethodGet, "https://"+s.listener.Addr().String()+pathLive)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Contains(t, string(body), statusHealthy)
}

func makeCertificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return certFile, keyFile, pool
}
