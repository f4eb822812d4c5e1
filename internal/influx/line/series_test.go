package line

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTagSetsGiveTheirPlaceBackWhenIdle(t *testing.T) {
	g := newSeriesGuard(20, time.Hour)
	now := at
	g.rotate(now)
	fill := func(prefix string) (admitted int) {
		for i := range 50 {
			if g.admit(fmt.Appendf(nil, "%s-%d", prefix, i), levelFull) {
				admitted++
			}
		}
		return admitted
	}
	assert.Equal(t, 13, fill("a"))
	g.rotate(now.Add(59 * time.Minute))
	assert.Zero(t, fill("b"), "nothing is idle yet")
	g.rotate(now.Add(time.Hour))
	assert.True(t, g.admit([]byte("a-0"), levelFull))
	assert.Zero(t, fill("b"), "those of the last hour still count")
	g.rotate(now.Add(2 * time.Hour))
	assert.True(t, g.admit([]byte("a-0"), levelFull), "was written within the hour")
	assert.Equal(t, 12, fill("c"))
	assert.Equal(t, 13, g.len())
}

func TestSeriesGuardIsExactUnderConcurrency(t *testing.T) {
	g := newSeriesGuard(100, time.Hour)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 500 {
				key := fmt.Appendf(nil, "%d", (i*7+w)%500)
				if !g.admit(key, levelFull) && !g.admit(append(key, 'm'), levelModel) {
					g.admit([]byte("all"), levelAll)
				}
				if i%100 == 0 {
					g.rotate(at.Add(time.Duration(i) * time.Millisecond))
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 96, g.len(), "85 full sets, 10 without model, 1 without anything")
}
