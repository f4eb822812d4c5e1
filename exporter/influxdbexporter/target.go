package influxdbexporter

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/consumer/consumererror"
)

// target is where points go, once that is known.
type target struct {
	api       API
	telemetry string // URL of writes; the only one with the schema otel
	anomaly   string
}

// target returns where to write. The first call asks the server which API it
// speaks and creates databases and buckets, as far as the configuration wants
// that.
func (c *client) target(ctx context.Context) (*target, error) {
	r := &c.resolved
	r.Lock()
	defer r.Unlock()
	if r.target != nil {
		return r.target, nil
	}
	if r.failed != nil && c.now().Sub(r.failedAt) < probePause {
		return nil, r.failed
	}
	t, err := c.resolve(ctx)
	if err != nil {
		r.failed, r.failedAt = err, c.now()
		return nil, err
	}
	r.target, r.failed = t, nil
	return t, nil
}

// forget makes the next call of target ask the server again.
func (c *client) forget() {
	c.resolved.Lock()
	defer c.resolved.Unlock()
	c.resolved.target = nil
}

func (c *client) resolve(ctx context.Context) (*target, error) {
	api := c.config.API
	if api == APIAuto {
		var err error
		if api, err = c.probe(ctx); err != nil {
			return nil, err
		}
	}
	t := &target{api: api}
	switch v1, v2, v3 := &c.config.V1, &c.config.V2, &c.config.V3; api {
	case APIV3:
		t.telemetry, t.anomaly = c.writeV3(v3.Database), c.writeV3(v3.AnomalyDatabase)
	case APIV2:
		if v2.CreateBucket {
			buckets := []string{v2.Bucket}
			if c.config.Schema == SchemaSentinel && v2.AnomalyBucket != v2.Bucket {
				buckets = append(buckets, v2.AnomalyBucket)
			}
			if err := c.createBuckets(ctx, buckets); err != nil {
				return nil, err
			}
		}
		t.telemetry, t.anomaly = c.writeV2(v2.Bucket), c.writeV2(v2.AnomalyBucket)
	default:
		databases := []string{v1.Database}
		if v1.AnomalyDatabase != "" && v1.AnomalyDatabase != v1.Database && c.config.Schema == SchemaSentinel {
			databases = append(databases, v1.AnomalyDatabase)
		}
		for _, d := range databases {
			if v1.CreateDatabase {
				if err := c.createDatabase(ctx, d); err != nil {
					return nil, err
				}
			}
		}
		t.telemetry, t.anomaly = c.writeV1(databases[0]), c.writeV1(databases[len(databases)-1])
	}
	return t, nil
}

// Names of the precisions in the other APIs than that of 2.x.
var (
	precisionsV1 = map[Precision]string{PrecisionNano: "ns", PrecisionMicro: "u", PrecisionMilli: "ms", PrecisionSecond: "s"}
	precisionsV3 = map[Precision]string{PrecisionNano: "nanosecond", PrecisionMicro: "microsecond", PrecisionMilli: "millisecond", PrecisionSecond: "second"}
)

func (c *client) writeV1(database string) string {
	q := url.Values{"db": {database}, "precision": {precisionsV1[c.config.OTel.Precision]}}
	if rp := c.config.V1.RetentionPolicy; rp != "" {
		q.Set("rp", rp)
	}
	return c.writeURL("/write", q)
}

func (c *client) writeV2(bucket string) string {
	q := url.Values{"bucket": {bucket}, "precision": {string(c.config.OTel.Precision)}}
	if c.config.V2.Org != "" {
		q.Set("org", c.config.V2.Org)
	}
	return c.writeURL("/api/v2/write", q)
}

func (c *client) writeV3(database string) string {
	return c.writeURL("/api/v3/write_lp", url.Values{
		"db": {database}, "precision": {precisionsV3[c.config.OTel.Precision]},
		"accept_partial": {strconv.FormatBool(c.config.V3.AcceptPartial)}, "no_sync": {strconv.FormatBool(c.config.V3.NoSync)},
	})
}

// writeURL is the address of writes: a path below the endpoint, or the endpoint
// itself when the configuration says so.
func (c *client) writeURL(path string, q url.Values) string {
	if !c.config.exactEndpoint {
		return c.base + path + "?" + q.Encode()
	}
	u, err := url.Parse(c.config.ClientConfig.Endpoint)
	if err != nil { // not after validation
		return c.base + path + "?" + q.Encode()
	}
	given := u.Query()
	for k, v := range q {
		given[k] = v
	}
	u.RawQuery = given.Encode()
	return u.String()
}

// probe asks for the version of the server, which stands in a header of /ping
// and, behind some proxies only, in the body of /health. The answer to /ping of
// 3.x has it in both.
func (c *client) probe(ctx context.Context) (API, error) {
	for _, path := range []string{"/ping", "/health"} {
		status, header, body, err := c.do(ctx, request{api: APIAuto, method: http.MethodGet, to: c.base + path})
		if err != nil {
			return "", err
		}
		if status == http.StatusTooManyRequests || status >= 500 {
			return "", c.failure(classify(status, header, body, 0, c.now()), status, APIAuto, c.base+path, "")
		}
		version := header.Get("X-Influxdb-Version")
		if version == "" {
			var answer struct {
				Version string `json:"version"`
			}
			if json.Unmarshal(body, &answer) == nil {
				version = answer.Version
			}
		}
		if major, ok := majorVersion(version); ok {
			switch {
			case major >= 3:
				return APIV3, nil
			case major == 2:
				return APIV2, nil
			default:
				return APIV1, nil
			}
		}
	}
	// The server does not say. What the user filled in does.
	switch {
	case c.config.V3.Token != "":
		return APIV3, nil
	case c.config.V2.Token != "" || c.config.V2.Org != "":
		return APIV2, nil
	}
	return APIV1, nil
}

// creates reports whether what a server says it does not have is something that
// is made on request.
func (c *client) creates(api API, message string) bool {
	switch api {
	case APIV1:
		return c.config.V1.CreateDatabase && strings.Contains(message, "database not found")
	case APIV2:
		return c.config.V2.CreateBucket && strings.Contains(message, "bucket")
	}
	return false
}

func (c *client) createDatabase(ctx context.Context, name string) error {
	ident := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(name)
	q := url.Values{"q": {`CREATE DATABASE "` + ident + `"`}}
	body, _, err := c.ask(ctx, request{api: APIV1, method: http.MethodPost, to: c.base + "/query?" + q.Encode()}, fmt.Sprintf("cannot create database %q", name))
	if err != nil {
		return err
	}
	// A statement that failed is reported inside a response of status 200.
	var answer struct {
		Results []struct {
			Error string `json:"error"`
		} `json:"results"`
	}
	if json.Unmarshal(body, &answer) == nil {
		for _, r := range answer.Results {
			if r.Error != "" {
				return rejected("cannot create database %q: %s", name, printable(r.Error))
			}
		}
	}
	return nil
}

// createBuckets makes the buckets of names that are missing. Existing ones are
// left as they are.
func (c *client) createBuckets(ctx context.Context, names []string) error {
	orgID := ""
	for _, name := range names {
		q := url.Values{"org": {c.config.V2.Org}, "name": {name}}
		var found struct {
			Buckets []struct {
				Name string `json:"name"`
			} `json:"buckets"`
		}
		body, status, err := c.ask(ctx, request{api: APIV2, method: http.MethodGet, to: c.base + "/api/v2/buckets?" + q.Encode()}, "cannot look for the bucket", http.StatusNotFound)
		if err != nil {
			return err
		}
		if status != http.StatusNotFound && json.Unmarshal(body, &found) == nil && len(found.Buckets) > 0 {
			continue
		}
		if orgID == "" {
			if orgID, err = c.orgID(ctx); err != nil {
				return err
			}
		}
		text, err := json.Marshal(map[string]any{"orgID": orgID, "name": name, "retentionRules": []any{}})
		if err != nil {
			return err
		}
		// Another process may have been faster.
		_, _, err = c.ask(ctx, request{api: APIV2, method: http.MethodPost, to: c.base + "/api/v2/buckets", body: text, kind: jsonBody},
			fmt.Sprintf("cannot create bucket %q", name), http.StatusUnprocessableEntity, http.StatusConflict)
		if err != nil {
			return err
		}
	}
	return nil
}

// orgID is the id of the configured organisation.
func (c *client) orgID(ctx context.Context) (string, error) {
	q := url.Values{"org": {c.config.V2.Org}}
	body, _, err := c.ask(ctx, request{api: APIV2, method: http.MethodGet, to: c.base + "/api/v2/orgs?" + q.Encode()}, "cannot look for the organisation")
	if err != nil {
		return "", err
	}
	var answer struct {
		Orgs []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"orgs"`
	}
	if json.Unmarshal(body, &answer) == nil {
		for _, o := range answer.Orgs {
			if o.Name == c.config.V2.Org && o.ID != "" {
				return o.ID, nil
			}
		}
	}
	return "", rejected("the server knows no organisation %q, check v2.org", c.config.V2.Org)
}

// ask sends a request that is no write. Statuses from 300 on are errors, but for
// those that are listed.
func (c *client) ask(ctx context.Context, r request, doing string, also ...int) ([]byte, int, error) {
	status, header, body, err := c.do(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	for _, ok := range also {
		if status == ok {
			return body, status, nil
		}
	}
	if status >= 300 {
		to, _, _ := strings.Cut(r.to, "?")
		return nil, status, c.failure(classify(status, header, body, 0, c.now()), status, r.api, to, doing)
	}
	return body, status, nil
}

func rejected(format string, args ...any) error {
	return &requestError{reason: reasonRejected, err: consumererror.NewPermanent(fmt.Errorf(format, args...))}
}
