package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// browserEnv names the browser when it is not in the path under a usual name;
// requireEnv makes its absence a failure.
const (
	browserEnv     = "SENTINEL_CHROMIUM"
	requireEnv     = "SENTINEL_REQUIRE_CHROMIUM"
	screenshotsEnv = "SENTINEL_SCREENSHOTS"
)

// patience bounds one step of a test: the machine may be busy.
const patience = 30 * time.Second

func findBrowser(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(browserEnv); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(requireEnv) != "" {
		t.Fatal("no Chromium was found, and " + requireEnv + " is set")
	}
	t.Skip("NO BROWSER: no Chromium was found, the page is NOT tested. `make web-test` installs one; " + browserEnv + " names another")
	return ""
}

// tab is one page in a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu sync.Mutex
	// complaints are errors of the console, exceptions and violations of the policy.
	complaints []string
}

// open starts a browser and opens the page at a view.
func open(t *testing.T, url, view string, options ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	path := findBrowser(t)
	// --no-sandbox: the sandbox needs privileges that containers lack, and only
	// this test's own page is opened.
	all := append(append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1440, 1000), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("force-color-profile", "srgb"))
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), append(all, options...)...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process
		cancel()
		cancelAlloc()
	})
	b := &tab{t: t, ctx: ctx, url: url}
	chromedp.ListenTarget(ctx, b.listen)
	b.do(log.Enable(), runtime.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(
			`window.violations=[];document.addEventListener('securitypolicyviolation',e=>violations.push(e.violatedDirective+' '+e.blockedURI+' '+e.sample))`).Do(ctx)
		return err
	}))
	b.visit(view)
	return b
}

func (b *tab) listen(ev any) {
	var text string
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.APITypeError && e.Type != runtime.APITypeWarning {
			return
		}
		var args []string
		for _, a := range e.Args {
			args = append(args, string(a.Value)+a.Description)
		}
		text = "console: " + strings.Join(args, " ")
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Error()
	case *log.EventEntryAdded:
		if e.Entry.Level != log.LevelError && e.Entry.Level != log.LevelWarning {
			return
		}
		text = fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, text)
}

// do runs actions and fails the test when they fail or take too long.
func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		b.snapshot("failed-" + strings.ReplaceAll(b.t.Name(), "/", "-"))
		var text string
		_ = b.try(chromedp.Evaluate(`location.hash+'\n'+document.body.innerText.slice(0,2000)`, &text))
		b.t.Fatalf("%v; the page shows:\n%s", err, text)
	}
}

func (b *tab) try(actions ...chromedp.Action) error {
	// The first run starts the browser, which then lives as long as its context.
	if chromedp.FromContext(b.ctx).Target == nil {
		return chromedp.Run(b.ctx, actions...)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// visit loads the page at a view, such as "anomalies?severity=high".
func (b *tab) visit(view string) {
	b.t.Helper()
	// A new document, also where only the part behind # differs.
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.url+"/#/"+view), chromedp.WaitVisible("main"))
}

// waitFor waits until a JavaScript expression is true.
func (b *tab) waitFor(expression string) {
	b.t.Helper()
	b.do(chromedp.Poll(expression, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience)))
}

// settled waits until nothing is loading any more.
func (b *tab) settled() {
	b.t.Helper()
	b.waitFor(`document.querySelector('main') && !document.querySelector('.loading, .stale, [aria-busy=true]')`)
}

// sees waits until the main part shows the text.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.waitFor(fmt.Sprintf(`document.querySelector('main')?.innerText.includes(%s)`, quote(text)))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
}

func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

func (b *tab) tab() { b.t.Helper(); b.press(kb.Tab) }

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	var v T
	b.do(chromedp.Evaluate(expression, &v))
	return v
}

func quote(s string) string {
	out, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string has a JSON form
	}
	return string(out)
}

// prefer sets what the system of the reader prefers: "light" or "dark".
func (b *tab) prefer(scheme string) {
	b.t.Helper()
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}))
}

// clean fails the test when the browser complained, or hostile text has run.
func (b *tab) clean() {
	b.t.Helper()
	require.Empty(b.t, eval[[]string](b, `window.violations`), "violations of the Content-Security-Policy")
	require.False(b.t, eval[bool](b, `window.pwned===1`), "text of telemetry was run")
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.complaints)
}

// forget drops the complaints so far, which the test has caused on purpose.
func (b *tab) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = nil
}

// snapshot keeps a picture of the page where SENTINEL_SCREENSHOTS says.
func (b *tab) snapshot(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		return
	}
	var picture []byte
	if err := b.try(chromedp.CaptureScreenshot(&picture)); err != nil {
		b.t.Logf("no picture of %s: %v", name, err)
		return
	}
	require.NoError(b.t, os.MkdirAll(dir, 0o750))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
}
