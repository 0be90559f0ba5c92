package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// source gives settings by name and collects what is wrong with them.
type source struct {
	values map[string]string
	// failed names settings that were given and could not be read, so that they are not reported as missing too.
	failed   map[string]bool
	problems *Error
}

// newSource takes the settings out of an environment, reading files where a setting names one. An empty value counts as
// not set.
func newSource(environ []string) *source {
	s := &source{values: map[string]string{}, failed: map[string]bool{}, problems: &Error{}}
	given := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, prefix) && value != "" {
			given[name] = value
		}
	}
	for _, name := range Names() {
		s.take(name, given)
	}
	for name := range given {
		s.problems.add(name, unknown(name))
	}
	return s
}

// take moves one setting from given into values.
func (s *source) take(name string, given map[string]string) {
	value, direct := given[name]
	path, byFile := given[name+fileSuffix]
	delete(given, name)
	delete(given, name+fileSuffix)
	switch {
	case direct && byFile:
		s.fail(name, fmt.Sprintf("is given twice; unset it or %s%s", name, fileSuffix))
	case direct:
		s.values[name] = strings.TrimSpace(value)
	case byFile:
		s.read(name, path)
	}
}

func (s *source) read(name, path string) {
	content, err := os.ReadFile(path) //nolint:gosec // The operator names the file.
	if err != nil {
		s.failed[name] = true
		s.problems.add(name+fileSuffix, fmt.Sprintf("cannot be read: %v", err))
		return
	}
	value := strings.TrimSpace(string(content))
	if value == "" {
		s.failed[name] = true
		s.problems.add(name+fileSuffix, "names an empty file: "+path)
		return
	}
	s.values[name] = value
}

func (s *source) fail(name, text string) {
	s.failed[name] = true
	s.problems.add(name, text)
}

// text gives a setting, or a default.
func (s *source) text(name, byDefault string) string {
	if value, ok := s.values[name]; ok {
		return value
	}
	return byDefault
}

// require reports a setting that is missing and was not reported otherwise.
func (s *source) require(name, value, text string) {
	if value == "" && !s.failed[name] {
		s.fail(name, text)
	}
}

// unknown tells what may be meant by a name that is none.
func unknown(name string) string {
	if isServiceLink(name) {
		return "is not a setting; Kubernetes sets it for a Service called dialogsync: put enableServiceLinks: false into the pod's spec"
	}
	if near := nearest(name); near != "" {
		return "is not a setting; is " + near + " meant?"
	}
	return "is not a setting; remove it (docs/configuration.md lists all)"
}

// isServiceLink finds the variables that Kubernetes gives every pod beside a Service named like us.
func isServiceLink(name string) bool {
	rest := strings.TrimPrefix(name, prefix)
	return strings.HasPrefix(rest, "SERVICE_HOST") || strings.HasPrefix(rest, "SERVICE_PORT") || rest == "PORT" ||
		strings.HasPrefix(rest, "PORT_")
}

// nearest gives the setting whose name differs by the fewest letters, if it is few.
func nearest(name string) string {
	const tolerance = 3
	best, distance := "", tolerance+1
	for _, known := range slices.Concat(Names(), fileNames()) {
		if d := editDistance(name, known); d < distance {
			best, distance = known, d
		}
	}
	return best
}

func fileNames() []string {
	names := Names()
	for i := range names {
		names[i] += fileSuffix
	}
	return names
}

// editDistance counts the letters to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
