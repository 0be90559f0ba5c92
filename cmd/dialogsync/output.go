package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Forms of output.
const (
	formatTable = "table"
	formatWide  = "wide"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

func checkFormat(format string) error {
	switch format {
	case formatTable, formatWide, formatJSON, formatYAML:
		return nil
	}
	return usageError{fmt.Sprintf("unknown output format %q: use table, wide, json or yaml", format)}
}

// print writes data as JSON or YAML, or has table write it for people.
func (c *cli) print(data any, table func(w io.Writer, wide bool)) error {
	switch c.output {
	case formatJSON:
		encoder := json.NewEncoder(c.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(data); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		return nil
	case formatYAML:
		return c.printYAML(data)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	table(w, c.output == formatWide)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// printYAML goes by way of JSON, so that both have the same names.
func (c *cli) printYAML(data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	if err := yaml.NewEncoder(c.out).Encode(withNumbers(plain)); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return nil
}

// withNumbers gives whole numbers as such, which YAML would otherwise write as 1e+06.
func withNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = withNumbers(v[name])
		}
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		if fraction, err := v.Float64(); err == nil {
			return fraction
		}
		return v.String()
	}
	return value
}

// line writes one row of a table.
func line(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = printable(fmt.Sprint(cell))
	}
	fmt.Fprintln(w, strings.Join(texts, "\t"))
}

// printable keeps a row a row: what an operator or a service wrote must not break the table or reach the terminal's controls.
func printable(text string) string {
	const lineSeparator, paragraphSeparator = '\u2028', '\u2029'
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == lineSeparator || r == paragraphSeparator {
			return ' '
		}
		return r
	}, text)
}

func moment(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
