package sanitizeprocessor

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// keyClass is what the name of an attribute tells about its value.
type keyClass uint16

const (
	// classSecret: the value is a credential, whatever it looks like.
	classSecret keyClass = 1 << iota
	// classID, classTime, classVersion: the value is left alone if it has the
	// shape of one. The name alone exempts nothing: anybody can send an address
	// as metadata.trace_id.
	classID
	classTime
	classVersion
	// classAllowed: the configuration exempts the key.
	classAllowed
	// classOwn: counts are written under such a name by this processor. Anybody
	// can write other values there.
	classOwn
	// classAnswer: the value is what the model answered.
	classAnswer
	// classMessages: the value may hold a list of messages.
	classMessages
	// classUntrusted: the value is the result of a tool, or a document.
	classUntrusted
	// classHost: the value is left alone if it is an address of a machine.
	classHost
)

const classProtected = classID | classTime | classVersion | classHost

// hostKeys hold addresses of the operator's own machines, which are what resources
// are told apart by. Those of clients are personal data.
var hostKeys = map[string]bool{
	"host.ip": true, "host.mac": true, "k8s.pod.ip": true, "k8s.node.ip": true, "server.address": true, "network.local.address": true,
	"net.host.ip": true, "server.socket.address": true, "service.instance.id": true, "instance": true,
}

// secretNames are the last parts of names whose values are credentials, in lower
// case with underscores.
var secretNames = map[string]bool{
	"api_key": true, "apikey": true, "x_api_key": true, "api_secret": true, "api_token": true,
	"password": true, "passwd": true, "pwd": true, "passphrase": true,
	"secret": true, "client_secret": true, "secret_key": true, "secret_access_key": true, "aws_secret_access_key": true,
	"access_token": true, "refresh_token": true, "auth_token": true, "bearer_token": true, "id_token": true, "session_token": true,
	"private_key": true, "authorization": true, "proxy_authorization": true, "cookie": true, "set_cookie": true,
	"credentials": true, "credential": true, "connection_string": true,
}

// messageKeys begin the attributes that hold the messages of a call, and answers
// those of them that hold what the model said.
var (
	messageKeys = []string{
		"gen_ai.input.messages", "gen_ai.prompt", "gen_ai.system_instructions", "llm.input_messages", "llm.prompt", "input.value",
		"ai.prompt", "gcp.vertex.agent.llm_request", "langfuse.observation.input", "langfuse.trace.input", "traceloop.entity.input",
		"mlflow.spanInputs", "pydantic_ai.all_messages", "all_messages_events", "genkit:input",
	}
	answerKeys = []string{
		"gen_ai.output.messages", "gen_ai.completion", "llm.output_messages", "llm.response", "output.value", "ai.response",
		"gcp.vertex.agent.llm_response", "langfuse.observation.output", "langfuse.trace.output", "traceloop.entity.output",
		"mlflow.spanOutputs", "genkit:output",
	}
)

// ownPrefix begins the names of the counts that this processor writes.
const ownPrefix = "sentinel.sanitize."

// classify reads the name of an attribute.
func classify(key string) (c keyClass) {
	if strings.HasPrefix(key, ownPrefix) {
		return classOwn
	}
	for _, p := range answerKeys {
		if strings.HasPrefix(key, p) {
			c |= classAnswer | classMessages
		}
	}
	for _, p := range messageKeys {
		if strings.HasPrefix(key, p) {
			c |= classMessages
		}
	}
	if slices.Contains(toolResultKeys, key) || hasAnyPrefix(key, documentKeys) {
		c |= classUntrusted
	}
	cut := strings.LastIndexAny(key, ".:/")
	last := snake(key[cut+1:])
	if secretNames[last] || cut > 0 && secretNames[snake(key[strings.LastIndexAny(key[:cut], ".:/")+1:])] {
		return c | classSecret
	}
	switch {
	case hostKeys[key]:
		c |= classHost
	case hasWord(last, "id", "ids", "uuid", "guid", "ulid", "hash", "digest", "fingerprint", "etag", "checksum", "sha", "sha256", "traceparent"):
		c |= classID
	case hasWord(last, "time", "timestamp", "at", "ms", "ns", "us", "nanos", "millis", "nano", "seconds", "epoch", "created", "updated", "date"):
		c |= classTime
	case hasWord(last, "version", "model", "revision", "commit", "release", "build"):
		c |= classVersion
	}
	return c
}

// hasWord tells whether the last word of a name in snake case is one of words.
func hasWord(name string, words ...string) bool {
	name = name[strings.LastIndexByte(name, '_')+1:]
	for _, w := range words {
		if name == w {
			return true
		}
	}
	return false
}

// snake writes a name in lower case with underscores: apiKey, API-Key and api.key
// become api_key.
func snake(s string) string {
	b := make([]byte, 0, len(s)+4)
	for i := range len(s) {
		ch := s[i]
		switch {
		case ch >= 'A' && ch <= 'Z':
			if i > 0 && (isLower(s[i-1]) || i+1 < len(s) && isLower(s[i+1]) && s[i-1] >= 'A' && s[i-1] <= 'Z') {
				b = append(b, '_')
			}
			b = append(b, ch+'a'-'A')
		case ch == '-' || ch == '.' || ch == ' ' || ch == '/' || ch == ':':
			b = append(b, '_')
		default:
			b = append(b, ch)
		}
	}
	return string(b)
}

func isLower(b byte) bool { return b >= 'a' && b <= 'z' }

// maxKnownKeys is how many names are remembered with their class; others are
// classified each time.
const maxKnownKeys = 1024

// maxKnownKeyBytes is the longest name that is remembered.
const maxKnownKeyBytes = 256

// keyTable remembers classes. It is safe for concurrent use: readers see a table
// that is never written again.
type keyTable struct {
	allowed []string
	known   atomic.Pointer[map[string]keyClass]
	mu      sync.Mutex
}

func newKeyTable(allowed []string) *keyTable {
	t := &keyTable{allowed: allowed}
	t.known.Store(&map[string]keyClass{})
	return t
}

func (t *keyTable) class(key string) keyClass {
	if c, ok := (*t.known.Load())[key]; ok {
		return c
	}
	c := classify(key)
	for _, a := range t.allowed {
		if head, open := strings.CutSuffix(a, "*"); a == key || open && strings.HasPrefix(key, head) {
			c |= classAllowed
		}
	}
	t.remember(key, c)
	return c
}

// remember copies the table, which is dear and, being bounded, rare.
func (t *keyTable) remember(key string, c keyClass) {
	if len(key) > maxKnownKeyBytes || len(*t.known.Load()) >= maxKnownKeys {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.known.Load()
	if len(old) >= maxKnownKeys {
		return
	}
	next := make(map[string]keyClass, len(old)+1)
	for k, v := range old {
		next[k] = v
	}
	next[strings.Clone(key)] = c
	t.known.Store(&next)
}
