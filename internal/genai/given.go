package genai

import (
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Attributes that a source of events writes which knows more about an event
// than the conventions have names for.
const (
	// AttrEventID is the id of the event, a UUID with hyphens. It takes the place
	// of the derived one, see [NewEventID].
	AttrEventID = "sentinel.event.id"
	// AttrMetadataPrefix begins the attributes that become [Event.Metadata]; the
	// rest of the name is the key.
	AttrMetadataPrefix = "sentinel.metadata."

	givenPrefix = "sentinel."
)

// Limits of the metadata that are read from attributes of [AttrMetadataPrefix].
const (
	maxGivenMetadata      = 64   // entries
	maxGivenMetadataBytes = 1024 // of a key and of a value
	uuidBytes             = 36   // with hyphens
)

func givenID(v pcommon.Value) (uuid.UUID, bool) {
	s := v.Str()
	if len(s) != uuidBytes {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil && id != uuid.UUID{}
}

// given takes over the id and the metadata that attributes give. What is no
// UUID, and metadata beyond the limits, are passed over.
func (e *Event) given(attrs pcommon.Map) {
	for k, v := range attrs.All() {
		if len(k) <= len(givenPrefix) || k[:len(givenPrefix)] != givenPrefix {
			continue
		}
		if k == AttrEventID {
			if id, ok := givenID(v); ok {
				e.ID = id
			}
			continue
		}
		key, ok := strings.CutPrefix(k, AttrMetadataPrefix)
		if !ok || key == "" || v.Type() != pcommon.ValueTypeStr || len(key) > maxGivenMetadataBytes || len(v.Str()) > maxGivenMetadataBytes {
			continue
		}
		if len(e.Metadata) < maxGivenMetadata {
			if e.Metadata == nil {
				e.Metadata = make(map[string]string, 8)
			}
			e.Metadata[key] = v.Str()
		}
	}
}
