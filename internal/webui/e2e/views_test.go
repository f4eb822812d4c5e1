package e2e

import (
	_ "embed"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

//go:embed testdata/checks.js
var checks string

// Each view is complete, readable, named for screen readers, and free of
// errors, in light and dark and in a narrow window.
func TestEveryViewIsReadableForEverybody(t *testing.T) {
	findBrowser(t)
	s := serve(t)
	data := seed(t, s, calls(t))
	worst := data.anomalies[len(data.anomalies)-5]
	b := open(t, s.url, "")
	series := "?service=chat-api&model=gpt-4o-2024-08-06"
	hostile := url.Values{"service": {hostileService}, "model": {hostileModel}}.Encode()
	views := []struct{ name, view, shows string }{
		{"overview", "", "serious problems now"},
		{"services", "services", "batch-summarizer"},
		{"services-errors", "services?heat=errors", "batch-summarizer"},
		{"services-p95", "services?heat=p95&range=24h", "batch-summarizer"},
		{"latency", "latency", "All series"},
		{"latency-series", "latency" + series, "normal for one call"},
		{"latency-log", "latency" + series + "&scale=log&range=6h", "normal for one call"},
		{"latency-hostile", "latency?range=24h&" + hostile, hostileService},
		{"usage", "usage?range=24h", "no price"},
		{"errors", "errors", "rate_limit_exceeded"},
		{"anomalies", "anomalies", "Security threat"},
		{"anomaly", "anomaly/" + worst.ID.String(), "3 detectors agree"},
		{"anomaly-hostile", "anomaly/" + data.anomalies[len(data.anomalies)-2].ID.String(), hostileService},
		{"trace", "trace/" + worst.Context.TraceID, "invoke_agent"},
		{"live", "live", "Connected"},
		{"baselines", "baselines?range=24h", "total tokens"},
		{"baseline", "baselines/" + url.PathEscape("chat-api:gpt-4o-2024-08-06:latency_ms") + "?range=24h", "chat-api · gpt-4o-2024-08-06 · latency"},
		{"health", "health", "connection refused"},
		{"nowhere", "nowhere", "There is no such view"},
	}
	for _, scheme := range []string{"light", "dark"} {
		b.prefer(scheme)
		for _, v := range views {
			b.visit(v.view)
			b.sees(v.shows)
			b.settled()
			if v.name == "live" {
				eventually(t, "a subscription", func() bool {
					return s.tell(t, another("chat-api", anomaly.SeverityCritical), another("rag-search", anomaly.SeverityMedium)) > 0
				})
				b.sees("rag-search")
			}
			b.snapshot(v.name + "-" + scheme)
			assert.Empty(t, eval[[]string](b, checks), "%s, %s", v.name, scheme)
			b.clean()
		}
	}
	b.do(chromedp.EmulateViewport(800, 900))
	for _, v := range views {
		b.visit(v.view)
		b.sees(v.shows)
		b.settled()
		b.snapshot(v.name + "-narrow")
		assert.Empty(t, eval[[]string](b, checks), "%s, narrow", v.name)
	}
	b.clean()
}
