package postgres

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInspectPrograms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		says, version, refusal string
	}{
		"Debian":  {says: "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", version: "15.18"},
		"plain":   {says: "postgres (PostgreSQL) 17.2", version: "17.2"},
		"beta":    {says: "postgres (PostgreSQL) 18beta1", version: "18beta1"},
		"too old": {says: "postgres (PostgreSQL) 14.11", refusal: "version 14.11, too old"},
		"another": {says: "postgres, the band", refusal: "states no version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			script := "#!/bin/sh\necho '" + c.says + "'\n"
			require.NoError(t, os.WriteFile(filepath.Join(folder, "postgres"), []byte(script), 0o700))

			found, err := inspectPrograms(t.Context(), folder, nil)
			if c.refusal != "" {
				require.ErrorContains(t, err, c.refusal)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.version, found.version)
			require.Equal(t, folder, found.folder)
		})
	}
}
