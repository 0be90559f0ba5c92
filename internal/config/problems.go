package config

import (
	"slices"
	"strings"
)

// Problem is one fault of the environment.
type Problem struct {
	// Name is the variable.
	Name string
	// Text says what is wrong and what to do. It never holds a value.
	Text string
}

func (p Problem) String() string { return p.Name + ": " + p.Text }

// Error lists every fault of the environment, one a line, sorted by name.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, problem := range e.Problems {
		lines = append(lines, problem.String())
	}
	return strings.Join(lines, "\n")
}

func (e *Error) add(name, text string) {
	e.Problems = append(e.Problems, Problem{Name: name, Text: text})
}

// result is nil when there is no fault.
func (e *Error) result() error {
	if len(e.Problems) == 0 {
		return nil
	}
	slices.SortStableFunc(e.Problems, func(a, b Problem) int { return strings.Compare(a.Name, b.Name) })
	return e
}
