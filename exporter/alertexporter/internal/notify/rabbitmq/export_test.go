//go:build unix

package rabbitmq

// For the tests of the exporter as a whole.
var (
	Broker = broker
	Admin  = admin
	Bind   = bind
)
