package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

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
	var plain any
	if err := yaml.Unmarshal(encoded, &plain); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	if err := yaml.NewEncoder(c.out).Encode(plain); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return nil
}

// line writes one row of a table.
func line(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
	}
	fmt.Fprintln(w, strings.Join(texts, "\t"))
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
