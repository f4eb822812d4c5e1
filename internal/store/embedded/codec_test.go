package embedded

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzMetadataReadsBack(f *testing.F) {
	f.Add("version", "1.2.3", "", "")
	f.Add("a\"b", "back\\slash", "\x00\n", "ü\u2028<&>")
	f.Add("z", "\xff", "a", "\x7f")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		m := map[string]string{k1: v1, k2: v2}
		got := appendStringMap(nil, m)
		plain, err := json.Marshal(m)
		require.NoError(t, err)
		var want, read map[string]string
		require.NoError(t, json.Unmarshal(plain, &want))
		require.NoError(t, json.Unmarshal(got, &read), "%s", got)
		require.Equal(t, want, read)
	})
}
