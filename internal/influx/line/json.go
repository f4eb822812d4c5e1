package line

import (
	"encoding/json"
	"maps"
	"slices"
)

// jsonMap writes m as a JSON object with sorted keys, or nothing when m is
// empty. Entries that do not fit into maxJSONBytes are left out.
func jsonMap[V any](m map[string]V) (text []byte, cut bool) {
	if len(m) == 0 {
		return nil, false
	}
	text = append(text, '{')
	for _, k := range slices.Sorted(maps.Keys(m)) {
		key, kerr := json.Marshal(k)
		value, verr := json.Marshal(m[k])
		if kerr != nil || verr != nil || len(text)+len(key)+len(value)+3 > maxJSONBytes {
			cut = true
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(append(text, key...), ':'), value...)
	}
	return append(text, '}'), cut
}

// jsonList writes list as a JSON array, or nothing when it is empty. Elements
// that do not fit into maxJSONBytes are left out.
func jsonList[V any](list []V) (text []byte, cut bool) {
	if len(list) == 0 {
		return nil, false
	}
	text = append(text, '[')
	for i := range list {
		value, err := json.Marshal(list[i])
		if err != nil || len(text)+len(value)+2 > maxJSONBytes {
			cut = true
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(text, value...)
	}
	return append(text, ']'), cut
}
