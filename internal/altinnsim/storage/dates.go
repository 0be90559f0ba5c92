package storage

import (
	"math"
	"strings"
)

// Date filters are <operator>:<value>, and their faults are the service's (3.3).

// dateFilter splits a filter. ok is false for an operator that does not exist, which is ignored.
func dateFilter(name, expression string, used map[string]bool) (operator, value string, ok bool, err error) {
	operator, value, found := strings.Cut(expression, ":")
	if !found || !letters(operator) {
		return "", "", false, badDate(name, expression)
	}
	if used[operator] {
		return "", "", false, badDate(name, expression)
	}
	used[operator] = true
	switch operator {
	case "eq", "gt", "gte", "lt", "lte":
		return operator, value, true, nil
	}
	return "", "", false, nil
}

func badDate(name, expression string) error {
	return faultError("Invalid date expression: " + expression + " for query key: " + name)
}

func letters(text string) bool {
	for i := range len(text) {
		if c := text[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return text != ""
}

// dateRange is the range that filters on a time column leave.
func dateRange(name string, expressions []string) (span, error) {
	out := span{from: math.MinInt64, to: math.MaxInt64}
	used := map[string]bool{}
	for _, expression := range expressions {
		operator, value, ok, err := dateFilter(name, expression, used)
		if err != nil {
			return out, err
		}
		if !ok {
			continue
		}
		t, valid := ParseTime(value)
		if !valid {
			return out, badDate(name, expression)
		}
		out = out.narrowed(operator, t)
	}
	return out, nil
}

func (s span) narrowed(operator string, t int64) span {
	switch operator {
	case "eq":
		s.from, s.to = max(s.from, t), min(s.to, t)
	case "gt":
		s.from = max(s.from, t+1)
	case "gte":
		s.from = max(s.from, t)
	case "lt":
		s.to = min(s.to, t-1)
	case "lte":
		s.to = min(s.to, t)
	}
	return s
}

// textFilter compares text with text.
type textFilter struct{ name, operator, value string }

func textFilters(name string, expressions []string) ([]textFilter, error) {
	var out []textFilter
	used := map[string]bool{}
	for _, expression := range expressions {
		operator, value, ok, err := dateFilter(paramNames()[name], expression, used)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, textFilter{name: name, operator: operator, value: value})
		}
	}
	return out, nil
}

func (f textFilter) matches(facts Facts) bool {
	stored := map[string]string{
		paramVisibleAfter: facts.VisibleAfter, paramDueBefore: facts.DueBefore,
		paramEnded: facts.ProcessEnded,
	}[f.name]
	if stored == "" {
		return false
	}
	switch f.operator {
	case "eq":
		return stored == f.value
	case "gt":
		return stored > f.value
	case "gte":
		return stored >= f.value
	case "lt":
		return stored < f.value
	default:
		return stored <= f.value
	}
}
