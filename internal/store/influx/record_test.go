package influx_test

import (
	"bytes"
	"io"
	"net/http"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// record asks once for each body and answers from memory after that.
func record(to http.RoundTripper, answers map[string]string, r *http.Request) (*http.Response, error) {
	question, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if _, ok := answers[string(question)]; !ok {
		r.Body = io.NopCloser(bytes.NewReader(question))
		resp, err := to.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		answers[string(question)] = string(body)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(answers[string(question)])))}, nil
}
