package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/altinn/dialogsync/internal/mapping"
)

// version is set by the linker in releases.
var version = "dev"

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version of this binary and of its mapping", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := struct {
				Version        string `json:"version"`
				Revision       string `json:"revision,omitempty"`
				Go             string `json:"go"`
				MappingVersion int    `json:"mappingVersion"`
			}{version, revision(), runtime.Version(), mapping.Version}
			return c.print(info, func(w io.Writer, _ bool) {
				const text = "dialogsync %s (%s, %s), mapping version %d"
				line(w, fmt.Sprintf(text, info.Version, orDash(info.Revision), info.Go, info.MappingVersion))
			})
		},
	}
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}
