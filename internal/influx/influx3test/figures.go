package influx3test

import "fmt"

// aggregate computes one row of figures.
func aggregate(s *statement, t *table, rows []row) (*result, error) {
	out := &result{types: map[string]columnType{}}
	values := row{}
	for _, it := range s.items {
		if _, twice := out.types[it.name]; twice {
			return nil, fmt.Errorf("Error during planning: Projections require unique expression names but %s is there twice", it.name) //nolint:staticcheck // the server's words
		}
		kind, v := figure(it, t.columns[it.column], rows)
		out.columns = append(out.columns, it.name)
		out.types[it.name] = kind
		if v != nil {
			values[it.name] = v
		}
	}
	out.rows = []row{values}
	if s.limit == 0 {
		out.rows = nil
	}
	return out, nil
}

func figure(it item, kind columnType, rows []row) (columnType, any) {
	var n int64
	var best any
	var whole int64
	var sum float64
	for _, r := range rows {
		v, ok := r[it.column]
		if it.column != "" && !ok {
			continue
		}
		n++
		switch it.function {
		case "min", "max":
			if c := compareValues(v, best); best == nil || it.function == "min" && c < 0 || it.function == "max" && c > 0 {
				best = v
			}
		case "sum", "avg":
			switch v := v.(type) {
			case int64:
				whole += v
				sum += float64(v)
			case uint64:
				whole += int64(v)
				sum += float64(v)
			case float64:
				sum += v
			}
		}
	}
	switch {
	case it.function == "count":
		return typeInt, n
	case n == 0:
		return kind, nil
	case it.function == "avg":
		return typeFloat, sum / float64(n)
	case it.function == "sum" && kind == typeFloat:
		return typeFloat, sum
	case it.function == "sum":
		return typeInt, whole
	default:
		return kind, best
	}
}
