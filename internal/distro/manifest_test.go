package distro

import (
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
)

const ownModule = "github.com/llm-devops/llm-sentinel"

type part struct {
	Gomod  string `yaml:"gomod"`
	Import string `yaml:"import"`
}

// importPath is the Go package that the part is taken from.
func (p part) importPath() string {
	if p.Import != "" {
		return p.Import
	}
	return strings.Fields(p.Gomod)[0]
}

type manifest struct {
	Receivers  []part `yaml:"receivers"`
	Processors []part `yaml:"processors"`
	Exporters  []part `yaml:"exporters"`
	Extensions []part `yaml:"extensions"`
	Connectors []part `yaml:"connectors"`
	Providers  []part `yaml:"providers"`
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	text, err := os.ReadFile("../../builder-config.yaml")
	require.NoError(t, err)
	var m manifest
	require.NoError(t, yaml.Unmarshal(text, &m))
	return m
}

func paths(parts []part) []string {
	var out []string
	for _, p := range parts {
		out = append(out, p.importPath())
	}
	slices.Sort(out)
	return out
}

// packagesOf tells from which packages the NewFactory calls of this package's
// component list come, by reading its own imports: a factory value does not
// know the package of its constructor.
func packagesOf(t *testing.T, fn any) []string {
	t.Helper()
	src, err := os.ReadFile("components.go")
	require.NoError(t, err)
	name := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
	name = name[strings.LastIndex(name, ".")+1:]
	_, body, found := strings.Cut(string(src), "func "+name+"() ")
	require.True(t, found, "func %s is in components.go", name)
	body, _, _ = strings.Cut(body, "\n}\n")

	var out []string
	for line := range strings.Lines(string(src)) {
		path := strings.Trim(strings.TrimSpace(line), `"`)
		if !strings.HasPrefix(strings.TrimSpace(line), `"`) {
			continue
		}
		call := regexp.MustCompile(`\b` + path[strings.LastIndex(path, "/")+1:] + `\.NewFactory\(\)`)
		if call.MatchString(body) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

func TestManifestListsTheSameComponentsAsTheInProcessCollector(t *testing.T) {
	m := readManifest(t)
	assert.Equal(t, paths(m.Receivers), packagesOf(t, Receivers), "receivers")
	assert.Equal(t, paths(m.Processors), packagesOf(t, Processors), "processors")
	assert.Equal(t, paths(m.Exporters), packagesOf(t, Exporters), "exporters")
	assert.Equal(t, paths(m.Extensions), packagesOf(t, Extensions), "extensions")
	assert.Equal(t, paths(m.Connectors), packagesOf(t, Connectors), "connectors")
	assert.Equal(t, paths(m.Providers), packagesOf(t, Providers), "providers")
	assert.Len(t, m.Receivers, len(Receivers()))
	assert.Len(t, m.Processors, len(Processors()))
	assert.Len(t, m.Exporters, len(Exporters()))
	assert.Len(t, m.Extensions, len(Extensions()))
	assert.Len(t, m.Connectors, len(Connectors()))
	assert.Len(t, m.Providers, len(Providers()))
}

func TestManifestPinsTheVersionsOfGoMod(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	mod, err := modfile.Parse("go.mod", text, nil)
	require.NoError(t, err)
	require.Empty(t, mod.Replace, "go.mod replaces nothing: what is built is what is named")
	direct := map[string]string{}
	for _, r := range mod.Require {
		if !r.Indirect {
			direct[r.Mod.Path] = r.Mod.Version
		}
	}
	m := readManifest(t)
	for _, p := range slices.Concat(m.Receivers, m.Processors, m.Exporters, m.Extensions, m.Connectors, m.Providers) {
		f := strings.Fields(p.Gomod)
		require.Len(t, f, 2, "gomod must be «module version», got %q", p.Gomod)
		if f[0] == ownModule {
			assert.True(t, strings.HasPrefix(p.Import, ownModule+"/"), "own part %q names its package", p.Gomod)
			continue
		}
		assert.Equal(t, f[1], direct[f[0]], "version of %s in go.mod (direct) and in builder-config.yaml", f[0])
	}
}

func TestOwnComponentsHaveTheTypesOfTheDocumentation(t *testing.T) {
	f, err := Components()
	require.NoError(t, err)
	assert.Contains(t, f.Processors, component.MustNewType("anomaly"))
	assert.Contains(t, f.Processors, component.MustNewType("sanitize"))
	assert.Contains(t, f.Exporters, component.MustNewType("alert"))
	assert.Contains(t, f.Exporters, component.MustNewType("influxdb"))
	assert.Contains(t, f.Exporters, component.MustNewType("llm_storage"))
	assert.Contains(t, f.Extensions, component.MustNewType("llm_storage"))
	assert.Contains(t, f.Extensions, component.MustNewType("query"))
}
