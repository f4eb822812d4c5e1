package queryextension

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// bodyLimit is the size of the largest request body that is read.
func (s *server) bodyLimit() int64 {
	if limit := s.cfg.HTTP.MaxRequestBodySize; limit > 0 {
		return limit
	}
	return defaultMaxRequestBodySize
}

func (s *server) bodyTooLarge() *apiError {
	limit := s.bodyLimit()
	return &apiError{
		status: http.StatusRequestEntityTooLarge, code: codePayloadTooLarge,
		message: "the request body is larger than " + strconv.FormatInt(limit, 10) + " bytes",
		details: map[string]any{"max_request_body_size": limit},
	}
}

// limitBody refuses bodies that say themselves that they are too large.
func (s *server) limitBody(next http.Handler) http.Handler {
	limit, tooLarge := s.bodyLimit(), s.bodyTooLarge()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > limit {
			sendError(w, r, tooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// drained takes the body off the connection before a handler that reads none.
func (s *server) drained(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				sendError(w, r, s.bodyError(err))
				return
			}
		}
		next(w, r)
	}
}

func (s *server) bodyError(err error) *apiError {
	var size *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &size):
		return s.bodyTooLarge()
	case errors.As(err, &network) && network.Timeout():
		return &apiError{status: http.StatusRequestTimeout, code: codeTimeout, message: "the request body did not arrive within http::read_timeout"}
	default:
		return &apiError{status: http.StatusBadRequest, code: codeBadRequest, message: "the request body cannot be read"}
	}
}

// readJSON decodes the body, one JSON object, into v. It is read only when it
// comes as JSON: a browser asks before it sends that to another site, and would
// send a form without asking.
func (s *server) readJSON(r *http.Request, v any) *apiError {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != typeJSON || (charset != "" && charset != "utf-8" && charset != "UTF-8") {
		return &apiError{
			status: http.StatusUnsupportedMediaType, code: codeUnsupportedMedia, message: "the request body must come with the header Content-Type: application/json",
			details: map[string]any{"content_type": shorten(r.Header.Get("Content-Type"), 64), "allowed": typeJSON},
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return s.bodyError(err)
	}
	malformed := func(why string) *apiError {
		return &apiError{status: http.StatusBadRequest, code: codeBadRequest, message: "the request body must be one JSON object: " + shorten(why, 128)}
	}
	if !utf8.Valid(body) {
		return malformed("it is not UTF-8")
	}
	if first := bytes.TrimLeft(body, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return malformed("it does not begin with {")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return malformed(err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed("something follows it")
	}
	return nil
}
