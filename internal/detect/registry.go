package detect

// Info describes one detector of the registry.
type Info struct {
	// Name as used in configuration and in anomalies.
	Name string
	// Doc is one sentence for documentation and error messages.
	Doc string
	// DefaultThreshold, MinThreshold and MaxThreshold in ThresholdUnit.
	DefaultThreshold float64
	MinThreshold     float64
	MaxThreshold     float64
	ThresholdUnit    string
	// Params are further parameters.
	Params []ParamInfo
	// Extra names the numbers in [Finding.Extra], in their order.
	Extra []string
}

// ParamInfo describes one parameter of a detector.
type ParamInfo struct {
	Name              string
	Doc               string
	Default, Min, Max float64
}

// row is an entry of the registry: what a detector is and how it is built.
type row struct {
	info Info
	// words is the number of words that the detector keeps per series.
	words int
	build func(m *Model, threshold float64, param func(name string) float64) detector
}

// registry holds all detectors in their order of evaluation. A new detector
// is one file and one row here.
var registry = [...]row{zScoreRow, iqrRow, madRow, cusumRow}

// Detectors returns the registry in its order.
func Detectors() []Info {
	list := make([]Info, 0, len(registry))
	for i := range registry {
		list = append(list, registry[i].info)
	}
	return list
}

// Names returns the names of all detectors.
func Names() []string {
	list := make([]string, 0, len(registry))
	for i := range registry {
		list = append(list, registry[i].info.Name)
	}
	return list
}

func lookup(name string) *row {
	for i := range registry {
		if registry[i].info.Name == name {
			return &registry[i]
		}
	}
	return nil
}
