package genai

import (
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Limits of what is believed.
const (
	maxTokens     = 1_000_000_000
	maxCostUSD    = 1_000_000
	maxMillis     = 7 * 24 * 60 * 60 * 1000
	maxNameBytes  = 1024
	maxNumberText = 64 // longer text is no number
)

// Times outside of [minTime, maxTime) are mistakes.
var (
	minTime = pcommon.NewTimestampFromTime(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	maxTime = pcommon.NewTimestampFromTime(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
)

type scalarKind uint8

const (
	scalarNone scalarKind = iota // absent, null, or an empty value
	scalarText
	scalarInt
	scalarDouble
	scalarBool
	scalarOther // map, slice, bytes
)

// scalar is a simple value, whether it came as an attribute or out of JSON.
type scalar struct {
	kind scalarKind
	text string
	int  int64 // 1 for true
	num  float64
}

func scalarOf(v pcommon.Value) scalar {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if s := v.Str(); s != "" {
			return scalar{kind: scalarText, text: s}
		}
		return scalar{}
	case pcommon.ValueTypeInt:
		return scalar{kind: scalarInt, int: v.Int()}
	case pcommon.ValueTypeDouble:
		return scalar{kind: scalarDouble, num: v.Double()}
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return scalar{kind: scalarBool, int: 1}
		}
		return scalar{kind: scalarBool}
	case pcommon.ValueTypeEmpty:
		return scalar{}
	default:
		return scalar{kind: scalarOther}
	}
}

// number reads a finite number. Absent gives (0, 0, false).
func (s scalar) number() (float64, Problem, bool) {
	switch s.kind {
	case scalarNone:
		return 0, 0, false
	case scalarInt:
		return float64(s.int), 0, true
	case scalarDouble:
		return finite(s.num)
	case scalarText:
		t := strings.TrimSpace(limit(s.text, maxNumberText+1))
		if t == "" {
			return 0, 0, false
		}
		if len(t) > maxNumberText {
			return 0, WrongType, false
		}
		f, err := strconv.ParseFloat(t, 64)
		if err != nil && !math.IsInf(f, 0) {
			return 0, WrongType, false
		}
		return finite(f)
	default:
		return 0, WrongType, false
	}
}

func finite(f float64) (float64, Problem, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, NotANumber, false
	}
	return f + 0, 0, true // turns -0 into 0
}

// count reads a token count; a fraction is cut off.
func (s scalar) count() (int64, Problem, bool) {
	if s.kind != scalarInt {
		f, p, ok := s.number()
		switch {
		case !ok:
			return 0, p, false
		case f < 0:
			return 0, NegativeTokens, false
		case f > maxTokens:
			return 0, AbsurdTokens, false
		}
		return int64(f), 0, true
	}
	switch {
	case s.int < 0:
		return 0, NegativeTokens, false
	case s.int > maxTokens:
		return 0, AbsurdTokens, false
	}
	return s.int, 0, true
}

func (s scalar) cost() (float64, Problem, bool) {
	f, p, ok := s.number()
	switch {
	case !ok:
		return 0, p, false
	case f < 0:
		return 0, NegativeCost, false
	case f > maxCostUSD:
		return 0, AbsurdCost, false
	}
	return f, 0, true
}

// millis reads a duration, or a point in time of which start is subtracted.
func (s scalar) millis(u unit, start pcommon.Timestamp) (float64, Problem, bool) {
	if u == unitRFC3339 {
		if s.kind == scalarNone {
			return 0, 0, false
		}
		// Some write the point in time as JSON, that is, in quotes.
		t, err := time.Parse(time.RFC3339Nano, strings.Trim(limit(s.text, maxNumberText), `"`))
		if s.kind != scalarText || err != nil {
			return 0, WrongType, false
		}
		return sinceStart(pcommon.NewTimestampFromTime(t), start)
	}
	f, p, ok := s.number()
	if !ok {
		return 0, p, false
	}
	switch {
	case u == unitSeconds, u == unitSecondsOrNanos && f <= 1e6:
		f *= 1e3
	case u == unitSecondsOrNanos:
		f /= 1e6
	}
	return believableMillis(f)
}

func believableMillis(f float64) (float64, Problem, bool) {
	switch {
	case f < 0:
		return 0, NegativeDuration, false
	case f > maxMillis:
		return 0, AbsurdDuration, false
	}
	return f, 0, true
}

// sinceStart is the time from start to t in milliseconds; unknown when start is.
func sinceStart(t, start pcommon.Timestamp) (float64, Problem, bool) {
	switch {
	case start == 0 || t == 0:
		return 0, 0, false
	case t < minTime || t >= maxTime:
		return 0, TimeOutOfRange, false
	case t < start:
		return 0, NegativeDuration, false
	}
	return believableMillis(float64(t-start) / 1e6)
}

// name reads a short text; numbers says that an integer will do as well.
func (s scalar) name(numbers bool) (string, Problem, bool) {
	switch {
	case s.kind == scalarNone:
		return "", 0, false
	case s.kind == scalarInt && numbers:
		return strconv.FormatInt(s.int, 10), 0, true
	case s.kind != scalarText:
		return "", WrongType, false
	case len(s.text) > maxNameBytes:
		return "", TextTooLong, false
	}
	return s.text, 0, true
}

func (s scalar) boolean() (bool, Problem, bool) {
	switch s.kind {
	case scalarNone:
		return false, 0, false
	case scalarBool, scalarInt:
		if s.int == 0 || s.int == 1 {
			return s.int == 1, 0, true
		}
	case scalarText:
		if len(s.text) <= len("false") {
			if b, err := strconv.ParseBool(s.text); err == nil {
				return b, 0, true
			}
		}
	}
	return false, WrongType, false
}

// limit is the first n bytes of s at most; it may cut a character.
func limit(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
