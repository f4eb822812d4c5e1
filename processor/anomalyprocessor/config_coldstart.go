package anomalyprocessor

// ColdStartConfig says what a new series begins with.
type ColdStartConfig struct {
	// Parent lets a new series take over how widely values spread, and how rare
	// what is, from a well-known one: another model of the service, else the
	// model in another service. Default true.
	Parent bool `mapstructure:"parent"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultColdStart() ColdStartConfig { return ColdStartConfig{Parent: true} }
