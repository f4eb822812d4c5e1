package e2e

import (
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// calls is how many calls the store holds; SENTINEL_PAGE_CALLS asks for more.
func calls(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SENTINEL_PAGE_CALLS")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func TestAnEngineerFindsExplainsAndJudgesAnAnomaly(t *testing.T) {
	findBrowser(t)
	s := serve(t)
	data := seed(t, s, calls(t))
	b := open(t, s.url, "")

	b.sees("serious problems now")
	b.sees("chat-api")
	b.settled()
	assert.Contains(t, eval[string](b, `document.querySelector('.status').className`), "status-critical")
	first := eval[string](b, `document.querySelector('.anomalies [data-row]').innerText`)
	assert.Contains(t, first, "Slow answers", "the worst comes first")
	assert.Contains(t, first, "expected 800 ms")
	// The least of three, because the machine does other things, too.
	interactive, answered := math.Inf(1), math.Inf(1)
	for range 3 {
		b.visit("")
		b.sees("serious problems now")
		interactive = min(interactive, eval[float64](b, `performance.getEntriesByName('sentinel:interactive')[0].startTime`))
		answered = min(answered, eval[float64](b, `performance.getEntriesByName('sentinel:answered')[0].startTime`))
	}
	b.settled()
	t.Logf("RESULT page.interactive_ms=%.0f page.first_answer_ms=%.0f calls=%d", interactive, answered, calls(t))
	assert.Less(t, interactive, 3000.0, "ms until the page answers; the budget is 1000 on an idle machine")

	// To the list, by the filters, which the address keeps.
	b.click(`nav a[href^="#/anomalies"]`)
	b.sees(strconv.Itoa(len(data.anomalies)) + " anomalies")
	b.do(chromedp.Click(`//div[@aria-label="Severity"]/button[text()="critical"]`))
	b.waitFor(`location.hash.includes('severity=critical') && document.querySelectorAll('.anomalies li').length===1`)
	b.do(chromedp.Reload())
	b.waitFor(`document.querySelectorAll('.anomalies li').length===1`)

	b.click(`.anomalies [data-row]`)
	b.sees("3 detectors agree")
	b.sees("Quartile fences")
	b.sees("normal for one call")
	b.settled()
	assert.Equal(t, 4, eval[int](b, `document.querySelectorAll('.waterfall .span').length`), "the calls of the trace")
	assert.Equal(t, 1, eval[int](b, `document.querySelectorAll('.waterfall .marked').length`), "the anomalous one")
	assert.Zero(t, eval[int](b, `document.querySelectorAll('a[href^="javascript:"]').length`), "a runbook that is no web address")

	b.do(chromedp.SendKeys(chromedp.CSS(`.feedback input`), "seen <b>at</b> 3 am"))
	b.click(`[data-verdict="true"]`)
	b.sees("Thank you: confirmed.")
	b.sees("seen <b>at</b> 3 am")
	id := data.anomalies[len(data.anomalies)-5].ID
	given := givenTo(t, s, store.FeedbackQuery{AnomalyID: id, Limit: 10})
	require.Len(t, given, 1)
	assert.Equal(t, store.VerdictTrue, given[0].Verdict)
	assert.Equal(t, "seen <b>at</b> 3 am", given[0].Comment)

	b.click(`[data-verdict="mute"]`)
	b.sees("Muted until")
	b.click(`nav a[href^="#/"]`)
	b.sees("1 serious problem now")
	assert.NotContains(t, eval[string](b, `document.querySelector('.anomalies').innerText`), "Slow answers", "what is muted is not open")
	b.clean()
}

func givenTo(t *testing.T, s *server, q store.FeedbackQuery) []store.Feedback {
	t.Helper()
	var out []store.Feedback
	for f, err := range s.backend.(store.FeedbackStore).Feedback(t.Context(), q) {
		require.NoError(t, err)
		out = append(out, f)
	}
	return out
}

func TestAnEmptyStoreSaysHowToSendData(t *testing.T) {
	findBrowser(t)
	s := serve(t)
	b := open(t, s.url, "")
	b.sees("Nothing has arrived yet")
	b.sees("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318")
	assert.Equal(t, 2, eval[int](b, `document.querySelectorAll('.command .copy').length`))
	b.snapshot("empty-light")
	sent := sentBy(t, eval[string](b, `document.querySelectorAll('.command pre')[1].textContent`))
	assert.Equal(t, "gpt-4o", sent.RequestModel)
	assert.Equal(t, "my-first-service", sent.Service)
	assert.EqualValues(t, 165, sent.TotalTokens)
	assert.WithinDuration(t, time.Now(), sent.Time(), time.Minute)
	for _, view := range []string{"services", "latency", "usage", "errors", "anomalies", "baselines", "live"} {
		b.visit(view)
		b.settled()
		assert.Zero(t, eval[int](b, `document.querySelectorAll('.failure').length`), view)
		assert.NotEmpty(t, eval[string](b, `document.querySelector('main .hint').innerText`), view)
	}
	b.clean()
}

// sentBy runs a command of the page in a shell whose curl prints what it would
// send, and returns the LLM call in it.
func sentBy(t *testing.T, text string) genai.Event {
	t.Helper()
	for _, name := range []string{"bash", "openssl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is missing: the command of the empty page is NOT tested", name)
		}
	}
	command := exec.CommandContext(t.Context(), "bash", "-c", `curl() { while [ "$1" != -d ]; do shift; done; printf %s "$2"; }; `+text)
	body, err := command.Output()
	require.NoError(t, err)
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(body)
	require.NoError(t, err, string(body))
	require.Equal(t, 1, traces.SpanCount())
	extractor, err := genai.NewExtractor(genai.Options{})
	require.NoError(t, err)
	group := traces.ResourceSpans().At(0)
	resource := extractor.Resource(group.Resource())
	var e genai.Event
	isLLM, _ := extractor.FromSpan(&resource, group.ScopeSpans().At(0).Scope(), group.ScopeSpans().At(0).Spans().At(0), &e)
	require.True(t, isLLM, string(body))
	return e
}

func TestAStorageThatIsAwayIsToldInPlainWordsAndTriedAgain(t *testing.T) {
	findBrowser(t)
	s := serve(t)
	seed(t, s, 3000)
	s.down.Store(true)
	b := open(t, s.url, "")
	b.sees("Try again")
	assert.NotContains(t, eval[string](b, `document.querySelector('main').innerText`), "switched off", "inner workings")
	b.snapshot("failure-light")
	s.down.Store(false)
	b.do(chromedp.Evaluate[chromedp.Void](`for (const button of document.querySelectorAll('.failure button')) button.click()`))
	b.sees("serious problems now")
	b.settled()
	assert.Zero(t, eval[int](b, `document.querySelectorAll('.failure').length`))
	b.forget() // the refused requests
	b.visit("anomaly/00000000-0000-4000-8000-000000000001")
	b.sees("There is no such thing any more")
}

func TestWhatAStorageCannotAnswerIsSaidAndTheRestWorks(t *testing.T) {
	findBrowser(t)
	s := serve(t)
	data := seed(t, s, 3000)
	s.least.Store(true)
	b := open(t, s.url, "")
	b.sees("storage backend of this collector cannot answer this")
	b.sees("Calls fail") // from the list of anomalies
	assert.Zero(t, eval[int](b, `document.querySelectorAll('.failure').length`), "nothing has failed")
	b.snapshot("unsupported-light")
	for _, view := range []string{"services", "latency", "usage", "errors", "anomaly/" + data.anomalies[0].ID.String()} {
		b.visit(view)
		b.settled()
		b.sees("cannot answer this")
		assert.Zero(t, eval[int](b, `document.querySelectorAll('.failure').length`), view)
	}
	b.visit("anomalies")
	b.sees("Security threat")
}

func TestNewAnomaliesAppearUnlessPaused(t *testing.T) {
	findBrowser(t)
	s := serve(t)
	b := open(t, s.url, "live")
	b.sees("Connected")
	eventually(t, "a subscription", func() bool { return s.tell(t, another("svc-one", anomaly.SeverityHigh)) > 0 })
	b.sees("svc-one")

	b.do(chromedp.Click(`//main//button[text()="Pause"]`))
	b.sees("Paused")
	s.tell(t, another("svc-two", anomaly.SeverityLow), another(hostileService, anomaly.SeverityLow))
	b.sees("2 new ones waiting")
	assert.NotContains(t, eval[string](b, `document.querySelector('main').innerText`), "svc-two")
	b.do(chromedp.Click(`//main//button[text()="Continue"]`))
	b.sees("svc-two")
	b.sees(hostileService)
	b.clean()
}

func TestThePageIsUsedByKeys(t *testing.T) {
	findBrowser(t)
	s := serve(t)
	seed(t, s, 3000)
	b := open(t, s.url, "")
	b.sees("serious problems now")
	b.settled()

	b.tab()
	assert.Equal(t, "Skip to the content", eval[string](b, `document.activeElement.textContent.trim()`))
	b.press(kb.Enter)
	assert.Equal(t, "H1", eval[string](b, `document.activeElement.tagName`))
	b.press(kb.ArrowDown)
	assert.True(t, eval[bool](b, `document.activeElement===document.querySelectorAll('[data-row]')[0]`))
	assert.NotEqual(t, "none", eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`), "the focus is visible")
	b.press(kb.ArrowDown, kb.ArrowDown, kb.ArrowUp)
	assert.True(t, eval[bool](b, `document.activeElement===document.querySelectorAll('[data-row]')[1]`))
	b.press(kb.Enter)
	b.waitFor(`location.hash.startsWith('#/anomaly/')`)
	b.sees("Is it a problem?")
	b.press(kb.Escape)
	b.waitFor(`!location.hash.startsWith('#/anomaly/') && document.activeElement.tagName==='H1'`)

	b.shortcut("/")
	assert.Equal(t, "filter-service", eval[string](b, `document.activeElement.id`))
	b.press("c", "h", "a", "t", "-", "a", "p", "i", kb.Enter)
	b.waitFor(`location.hash.includes('service=chat-api')`)
	b.press(kb.Escape)
	assert.Equal(t, "BODY", eval[string](b, `document.activeElement.tagName`))
	b.shortcut("?")
	b.waitFor(`document.querySelector('dialog[open]')`)
	b.press(kb.Escape)
	b.waitFor(`!document.querySelector('dialog')`)
	b.shortcut("3")
	b.waitFor(`location.hash.startsWith('#/latency')`)
	b.settled()
	b.do(chromedp.Focus(chromedp.CSS(`.plot`)))
	// Fresh data may draw the chart anew between the keys and the look at it.
	told := regexp.MustCompile(`^\d\d:\d\d$`)
	for deadline := time.Now().Add(20 * time.Second); ; {
		b.press(kb.End, kb.ArrowLeft)
		legend := eval[string](b, `document.querySelector('.legend-time').textContent`)
		if told.MatchString(legend) {
			break
		}
		require.True(t, time.Now().Before(deadline), "a chart tells its values, got %q", legend)
	}
	b.clean()
}

func TestTheTimeAndTheThemeAreChosen(t *testing.T) {
	findBrowser(t)
	s := serve(t)
	seed(t, s, 3000)
	b := open(t, s.url, "usage")
	b.settled()
	b.do(chromedp.SetValue(chromedp.CSS(`.top select`), "24h"), chromedp.Evaluate[chromedp.Void](`document.querySelector('.top select').dispatchEvent(new Event('change',{bubbles:true}))`))
	b.waitFor(`location.hash.includes('range=24h')`)
	b.settled()
	assert.NotEmpty(t, eval[string](b, `document.querySelector('time,.zone').textContent`))
	before := eval[string](b, `document.documentElement.dataset.theme`)
	b.click(`.top button[aria-label^="Use"]`)
	after := eval[string](b, `document.documentElement.dataset.theme`)
	assert.NotEqual(t, before, after)
	b.visit("health")
	b.sees("1.0.0-test")
	b.sees("connection refused")
	assert.Equal(t, after, eval[string](b, `document.documentElement.dataset.theme`), "the choice is kept")
	assert.Contains(t, eval[string](b, `document.querySelector('td time').title`), "UTC")
	b.clean()
}
