package llmtraffic

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// APIClient reads anomalies from the query API.
type APIClient struct {
	base string
	http *http.Client
}

// NewAPIClient returns a client for the API below base, for example
// "http://localhost:8080".
func NewAPIClient(base string) *APIClient {
	return &APIClient{base: strings.TrimSuffix(base, "/"), http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

const (
	apiPage     = 1000
	maxAPIPages = 1000
	maxAPIBody  = 64 << 20
)

// Anomalies returns all anomalies with an event time in [start, end), in the
// order of the API. It follows the cursor to the last page.
func (c *APIClient) Anomalies(ctx context.Context, start, end time.Time) ([]anomaly.Anomaly, error) {
	q := url.Values{
		"start": {start.UTC().Format(time.RFC3339Nano)}, "end": {end.UTC().Format(time.RFC3339Nano)}, "limit": {strconv.Itoa(apiPage)},
	}
	var out []anomaly.Anomaly
	for range maxAPIPages {
		var page struct {
			Data     []anomaly.Anomaly `json:"data"`
			Metadata struct {
				NextCursor string `json:"next_cursor"`
			} `json:"metadata"`
		}
		if err := c.get(ctx, c.base+"/api/v1/anomalies?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		out = append(out, page.Data...)
		if page.Metadata.NextCursor == "" {
			return out, nil
		}
		q.Set("cursor", page.Metadata.NextCursor)
	}
	return nil, fmt.Errorf("more than %d pages of anomalies", maxAPIPages)
}

// Ready reports whether the collector says that it is ready.
func (c *APIClient) Ready(ctx context.Context) error {
	var answer json.RawMessage
	return c.get(ctx, c.base+"/health/ready", &answer)
}

func (c *APIClient) get(ctx context.Context, u string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAPIBody))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s answered %s: %s", u, resp.Status, excerpt(body))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: %w", u, err)
	}
	return nil
}
