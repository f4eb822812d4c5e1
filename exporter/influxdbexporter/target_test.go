package influxdbexporter

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestV3Request(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIV3)
	cfg.V3.Token = "secret-token"
	e, _ := started(t, cfg)
	td := calls(1, func(i int, span ptrace.Span) { anomaly.MarkSpan(span, []anomaly.Anomaly{finding(i)}) })
	require.NoError(t, e.push(t.Context(), td))
	got := f.requests("/api/v3/write_lp")
	require.Len(t, got, 2)
	assert.Equal(t, "accept_partial=true&db=telemetry&no_sync=false&precision=nanosecond", got[0].query)
	assert.Equal(t, "accept_partial=true&db=anomalies&no_sync=false&precision=nanosecond", got[1].query)
	assert.Equal(t, "Bearer secret-token", got[0].auth)
	assert.Equal(t, "gzip", got[0].encoding)
}

func TestCredentialsFollowTheAPI(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Config)
		want map[API]string
	}{
		"none": {func(*Config) {}, map[API]string{APIAuto: "", APIV1: "", APIV2: "", APIV3: ""}},
		"user": {
			func(c *Config) { c.V1.Username, c.V1.Password = "u", "p" },
			map[API]string{APIAuto: "Basic dTpw", APIV1: "Basic dTpw", APIV2: "Basic dTpw", APIV3: "Basic dTpw"},
		},
		"token of 2.x": {
			func(c *Config) { c.V2.Token = "t2" },
			map[API]string{APIAuto: "Token t2", APIV1: "Token t2", APIV2: "Token t2", APIV3: "Bearer t2"},
		},
		"token of 3.x": {
			func(c *Config) { c.V3.Token = "t3" },
			map[API]string{APIAuto: "Bearer t3", APIV1: "Token t3", APIV2: "Token t3", APIV3: "Bearer t3"},
		},
		"all": {
			func(c *Config) { c.V1.Username, c.V1.Password, c.V2.Token, c.V3.Token = "u", "p", "t2", "t3" },
			map[API]string{APIAuto: "Bearer t3", APIV1: "Basic dTpw", APIV2: "Token t2", APIV3: "Bearer t3"},
		},
	} {
		cfg := createDefaultConfig().(*Config)
		c.edit(cfg)
		for api, want := range c.want {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost", nil)
			require.NoError(t, err)
			(&client{config: cfg}).authorize(req, api)
			assert.Equal(t, want, req.Header.Get("Authorization"), "%s, %s", name, api)
		}
	}
}

func TestBadLinesOf3xAreCountedAndTheRestKept(t *testing.T) {
	f := newFake(t, answer(400, `{"error":"partial write of line protocol occurred","data":[{"original_line":"x","line_number":1,"error_message":"a"},{"original_line":"y","line_number":4,"error_message":"b"}]}`))
	e, tel := started(t, f.config(APIV3))
	require.NoError(t, e.push(t.Context(), calls(5)))
	assert.EqualValues(t, 3, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "partial_write"))
}

func TestErrorsOf3xNameTheSetting(t *testing.T) {
	f := newFake(t, answer(401, `{"error":"the request was not authenticated"}`), answer(404, "not found"))
	e, _ := started(t, f.config(APIV3))
	err := e.push(t.Context(), calls(1))
	require.ErrorContains(t, err, "check v3.token")
	assert.True(t, consumererror.IsPermanent(err))
	require.ErrorContains(t, e.push(t.Context(), calls(1)), "InfluxDB 3")
}

// buckets plays the part of the API of 2.x that manages buckets.
func buckets(existing ...string) (handler http.HandlerFunc, made *[]string) {
	made = &[]string{}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Token t" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch {
		case r.URL.Path == "/api/v2/orgs" && r.URL.Query().Get("org") == "acme":
			answer(200, `{"orgs":[{"id":"0f","name":"acme"}]}`)(w, r)
		case r.URL.Path == "/api/v2/orgs":
			answer(404, `{"code":"not found","message":"organization name \"x\" not found"}`)(w, r)
		case r.Method == http.MethodGet:
			for _, b := range existing {
				if b == r.URL.Query().Get("name") {
					answer(200, `{"buckets":[{"id":"1","name":"`+b+`"}]}`)(w, r)
					return
				}
			}
			answer(404, `{"code":"not found","message":"bucket not found"}`)(w, r)
		default:
			*made = append(*made, r.Header.Get("Content-Type"))
			answer(201, `{"id":"2"}`)(w, r)
		}
	}, made
}

func TestMissingBucketsAreCreatedBeforeTheFirstWrite(t *testing.T) {
	f := newFake(t)
	var made *[]string
	f.buckets, made = buckets("telemetry")
	cfg := f.config(APIV2)
	cfg.V2.Org, cfg.V2.Token, cfg.V2.CreateBucket = "acme", "t", true
	e, _ := started(t, cfg)
	for range 2 {
		require.NoError(t, e.push(t.Context(), calls(1)))
	}
	assert.Equal(t, []string{"application/json"}, *made)
	sent := f.requests("/api/v2/buckets")
	require.Len(t, sent, 3, "two look-ups, one creation")
	assert.Equal(t, []string{`{"name":"anomalies","orgID":"0f","retentionRules":[]}`}, sent[2].lines)
	assert.Len(t, f.requests("/api/v2/write"), 2)
}

func TestABucketThatDisappearedIsCreatedAgain(t *testing.T) {
	f := newFake(t, answer(404, `{"code":"not found","message":"bucket \"telemetry\" not found"}`))
	var made *[]string
	f.buckets, made = buckets()
	cfg := f.config(APIV2)
	cfg.V2.Org, cfg.V2.Token, cfg.V2.CreateBucket = "acme", "t", true
	e, _ := started(t, cfg)
	err := e.push(t.Context(), calls(1))
	require.Error(t, err)
	assert.False(t, consumererror.IsPermanent(err))
	require.NoError(t, e.push(t.Context(), calls(1)))
	assert.Len(t, *made, 4)
}

func TestABucketThatAnotherMadeFirstIsFine(t *testing.T) {
	f := newFake(t)
	f.buckets = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/v2/orgs":
			answer(200, `{"orgs":[{"id":"0f","name":"acme"}]}`)(w, r)
		case r.Method == http.MethodGet:
			answer(200, `{"buckets":[]}`)(w, r)
		default:
			answer(422, `{"code":"conflict","message":"bucket with name telemetry already exists"}`)(w, r)
		}
	}
	cfg := f.config(APIV2)
	cfg.V2.Org, cfg.V2.CreateBucket = "acme", true
	e, _ := started(t, cfg)
	require.NoError(t, e.push(t.Context(), calls(1)))
}

func TestAnOrganisationThatIsNotThereIsNamed(t *testing.T) {
	f := newFake(t)
	f.buckets, _ = buckets()
	cfg := f.config(APIV2)
	cfg.V2.Org, cfg.V2.Token, cfg.V2.CreateBucket = "x", "t", true
	e, _ := started(t, cfg)
	err := e.push(t.Context(), calls(1))
	require.ErrorContains(t, err, "cannot look for the organisation")
	assert.True(t, consumererror.IsPermanent(err))
}
