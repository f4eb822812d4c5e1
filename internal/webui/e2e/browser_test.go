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

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
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

type step = chromedp.Action[chromedp.Void]

// command runs a command of the debugging protocol.
func command[P, R any](c cdp.Command[P, R], params P) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// open starts a browser and opens the page at a view.
func open(t *testing.T, url, view string) *tab {
	t.Helper()
	path := findBrowser(t)
	// no-sandbox: the sandbox needs privileges that containers lack, and only
	// this test's own page is opened.
	options := append(append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...),
		chromedp.ExecPath(path), chromedp.Flag("no-sandbox", true), chromedp.WindowSize(1440, 1000), chromedp.UserDataDir(t.TempDir()))
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	b := &tab{t: t, url: url}
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithListener(b.listen))
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process
		cancel()
		cancelAlloc()
	})
	b.ctx = ctx
	require.NoError(t, chromedp.Do(ctx), "starting %s", path)
	b.do(command(log.Enable, cdp.Empty{}), command(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `window.violations=[];document.addEventListener('securitypolicyviolation',e=>violations.push(e.violatedDirective+' '+e.blockedURI+' '+e.sample))`,
	}))
	b.visit(view)
	return b
}

func (b *tab) listen(ev any) {
	var text string
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeWarning {
			return
		}
		var args []string
		for _, a := range e.Args {
			args = append(args, string(a.Value)+a.Description)
		}
		text = "console: " + strings.Join(args, " ")
	case *runtime.EventExceptionThrown:
		text = "exception: " + fmt.Sprint(e.ExceptionDetails.Text, " ", e.ExceptionDetails.Exception.Description)
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
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

// do runs steps and fails the test when one fails or takes too long.
func (b *tab) do(steps ...step) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail(err.Error())
	}
}

// fail ends the test and says what the page shows.
func (b *tab) fail(why string) {
	b.t.Helper()
	b.snapshot("failed-" + strings.ReplaceAll(b.t.Name(), "/", "-"))
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.hash+'\n'+document.body.innerText.slice(0,2000)`))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.t.Fatalf("%s; complaints: %q; the page shows (%v):\n%s", why, b.complaints, err, text)
}

// visit loads the page at a view, such as "anomalies?severity=high".
func (b *tab) visit(view string) {
	b.t.Helper()
	// A new document, also where only the part behind # differs.
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.url+"/#/"+view), chromedp.WaitVisible(chromedp.CSS("main")))
}

// waitFor waits until a JavaScript expression is true. It polls from outside:
// a poll inside of the page would need an eval, which its policy forbids.
func (b *tab) waitFor(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !eval[bool](b, "!!("+expression+")"); {
		if time.Now().After(deadline) {
			b.fail("not within " + patience.String() + ": " + expression)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// settled waits until nothing is loading any more.
func (b *tab) settled() {
	b.t.Helper()
	b.waitFor(`document.querySelector('main') && !document.querySelector('.loading, .stale, [aria-busy=true]')`)
}

// sees waits until the main part shows the text, whatever separates thousands.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.waitFor(fmt.Sprintf(`document.querySelector('main')?.innerText.replaceAll('\u202f', '').includes(%s)`, quote(text)))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

func (b *tab) tab() { b.t.Helper(); b.press(kb.Tab) }

// shortcut presses a key as a keyboard does: the page may keep it from being
// typed, which chromedp's own key events do not allow.
func (b *tab) shortcut(key string) {
	b.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		p := input.DispatchKeyEventParams{Type: kind, Key: key}
		if kind == input.DispatchKeyEventTypeKeyDown {
			p.Text = key
		}
		b.do(command(input.DispatchKeyEvent, p))
	}
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
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
	b.do(command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}))
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
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Logf("no picture of %s: %v", name, err)
		return
	}
	require.NoError(b.t, os.MkdirAll(dir, 0o750))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
}
