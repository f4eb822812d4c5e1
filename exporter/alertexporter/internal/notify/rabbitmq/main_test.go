package rabbitmq

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// afterAll ends what tests share; integration tests add to it.
var afterAll []func()

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		for _, f := range afterAll {
			f()
		}
		os.Exit(code)
	}))
}
