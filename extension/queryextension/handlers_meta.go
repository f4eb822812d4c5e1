package queryextension

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"
)

// openAPI is the description that the routes are tested against.
//
//go:embed openapi.yaml
var openAPI []byte

func (s *server) handleOpenAPI(w http.ResponseWriter, r *http.Request) {
	send(w, r, http.StatusOK, typeYAML, openAPI)
}

func (s *server) handleIndex(w http.ResponseWriter, r *http.Request) {
	send(w, r, http.StatusOK, typeText, s.index())
}

func (s *server) index() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "LLM-Sentinel %s: query interface\n\n", s.version)
	for _, rt := range s.routes {
		method, _, _ := strings.Cut(rt.answers(), ",")
		fmt.Fprintf(&b, "  %-4s %-34s %s\n", method, rt.path, rt.summary)
	}
	b.WriteString(`
This address only answers questions. Telemetry goes to the receivers of the
collector; with the otlp receiver in the configuration, for example:

  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 <your program>

LLM calls that arrive there and pass a pipeline with the llm_storage exporter
can be read here.
`)
	return []byte(b.String())
}
