package cache

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValuesInRedisRoundTrip(t *testing.T) {
	t.Parallel()
	deadline := time.UnixMilli(1_770_000_000_123)
	for _, value := range []string{"", "a", string(make([]byte, 10_000))} {
		got, until, err := decode(keyOf("k"), encode(keyOf("k"), []byte(value), deadline))
		require.NoError(t, err)
		assert.Equal(t, value, string(got))
		assert.True(t, deadline.Equal(until))
	}
}

func TestEveryDamagedValueIsRefused(t *testing.T) {
	t.Parallel()
	good := encode(keyOf("k"), []byte("some value"), time.UnixMilli(1_770_000_000_123))
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			_, _, err := decode(keyOf("k"), bad)
			require.ErrorIs(t, err, errFormat, "byte %d", i)
		}
	}
	for n := range len(good) {
		_, _, err := decode(keyOf("k"), good[:n])
		require.ErrorIs(t, err, errFormat)
	}
	_, _, err := decode(keyOf("other"), good)
	require.ErrorIs(t, err, errFormat, "a value under another key")
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(keyOf("k"), []byte("some value"), time.UnixMilli(1)))
	f.Add([]byte(formatMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		value, deadline, err := decode(keyOf("k"), b)
		if err == nil {
			require.Equal(t, b, encode(keyOf("k"), value, deadline))
		}
	})
}
