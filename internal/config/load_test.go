package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/config"
)

func TestAdapterURLIsAlwaysHTTPS(t *testing.T) {
	t.Parallel()
	local := []string{
		"DIALOGSYNC_DATABASE_URL=postgres://u:p@127.0.0.1/d", "DIALOGSYNC_ENVIRONMENT=local", "DIALOGSYNC_PLATFORM_URL=http://127.0.0.1:9090",
		"DIALOGSYNC_DIALOGPORTEN_URL=http://127.0.0.1:9090", "DIALOGSYNC_ALTINN_HOST=tt02.altinn.no",
	}
	loaded, err := config.Load(local, config.NeedDelivery)
	require.NoError(t, err)
	assert.Equal(t, "https://platform.tt02.altinn.no/storage/dialogporten", loaded.AdapterURL)

	_, err = config.Load(append(local, "DIALOGSYNC_ADAPTER_URL=http://127.0.0.1:9090"), config.NeedDelivery)
	require.ErrorContains(t, err, "DIALOGSYNC_ADAPTER_URL: is not an https URL")
}
