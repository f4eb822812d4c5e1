package queryextension

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/webui"
)

// openAPI is the description that the routes are tested against.
//
//go:embed openapi.yaml
var openAPI []byte

func (s *server) handleOpenAPI(w http.ResponseWriter, r *http.Request) {
	send(w, r, http.StatusOK, typeYAML, openAPI)
}

// handleIndex answers browsers with the page, and everybody else with a list of
// the routes.
func (s *server) handleIndex(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	if webui.WantsPage(r) {
		s.handlePage(w, r)
		return
	}
	send(w, r, http.StatusOK, typeText, s.index())
}

// handlePage serves the page and its files.
func (s *server) handlePage(w http.ResponseWriter, r *http.Request) { webui.Handler().ServeHTTP(w, r) }

func (s *server) index() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "LLM-Sentinel %s: query interface\n\n", s.version)
	for _, rt := range s.routes {
		method, _, _ := strings.Cut(rt.answers(), ",")
		fmt.Fprintf(&b, "  %-4s %-34s %s\n", method, rt.path, rt.summary)
	}
	b.WriteString(`
In a browser this address shows what is wrong now. Telemetry goes to the receivers of the
collector; with the otlp receiver in the configuration, for example:

  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 <your program>

LLM calls that arrive there and pass a pipeline with the llm_storage exporter
can be read here.
`)
	return []byte(b.String())
}
