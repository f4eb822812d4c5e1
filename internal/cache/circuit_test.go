package cache

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestCircuit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	var c circuit
	allowed := func() [2]bool {
		call, try := c.allow(now)
		return [2]bool{call, try}
	}
	for range 5 { // failures in a row count only
		assert.False(t, c.result(false, now))
		assert.False(t, c.result(false, now))
		assert.False(t, c.result(true, now))
	}
	assert.True(t, c.closed())
	assert.False(t, c.result(false, now))
	assert.False(t, c.result(false, now))
	assert.True(t, c.result(false, now), "the third one opens it")
	assert.False(t, c.result(false, now), "and tells so once")
	assert.Equal(t, [2]bool{false, false}, allowed())

	now = now.Add(circuitPause)
	assert.Equal(t, [2]bool{false, true}, allowed(), "one trial")
	assert.Equal(t, [2]bool{false, false}, allowed(), "not a second one beside it")
	assert.False(t, c.tried(false, now))
	assert.Equal(t, [2]bool{false, false}, allowed())

	now = now.Add(circuitPause)
	assert.Equal(t, [2]bool{false, true}, allowed())
	assert.False(t, c.result(true, now), "what began earlier does not close it")
	assert.Equal(t, [2]bool{false, false}, allowed())
	assert.True(t, c.tried(true, now))
	assert.Equal(t, [2]bool{true, false}, allowed())
}
