// Package deploy_test holds that the settings in docker-compose.yml and in the Kubernetes manifests are such that a worker starts.
package deploy_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/altinn/dialogsync/internal/config"
)

func TestComposeSettings(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
		Secrets map[string]struct {
			File string `yaml:"file"`
		} `yaml:"secrets"`
	}
	read(t, "../docker-compose.yml", &compose)
	secrets := t.TempDir()
	for name, secret := range compose.Secrets {
		content, err := os.ReadFile(filepath.Join("..", secret.File))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(secrets, name), content, 0o600))
	}
	var environ []string
	for name, value := range compose.Services["worker"].Environment {
		environ = append(environ, name+"="+strings.Replace(value, "/run/secrets", secrets, 1))
	}
	_, err := config.Load(environ, config.NeedAll)
	require.NoError(t, err)
}

func TestKubernetesSettings(t *testing.T) {
	t.Parallel()
	secrets := t.TempDir()
	for name, content := range map[string]string{
		"database-url":          "postgres://dialogsync@database.example.org/dialogsync",
		"events-secret":         "some secret",
		"maskinporten-jwk":      base64.StdEncoding.EncodeToString([]byte("{}")),
		"servicebus-connection": "Endpoint=sb://bus.example.org/;SharedAccessKeyName=x;SharedAccessKey=x",
		"subscription-key":      "some key",
	} {
		require.FileExists(t, filepath.Join("kubernetes/example/secret", name))
		require.NoError(t, os.WriteFile(filepath.Join(secrets, name), []byte(content), 0o600))
	}
	literals := append(configMap(t, "kubernetes/base"), configMap(t, "kubernetes/example")...)

	base, patched := "kubernetes/base/worker.yaml", "kubernetes/example/worker.yaml"
	for name, tt := range map[string]struct {
		manifests []string
		need      config.Need
		bus       bool
	}{
		"worker of the base":    {manifests: []string{base}, need: config.NeedAll},
		"worker of the example": {manifests: []string{base, patched}, need: config.NeedAll, bus: true},
		"migration":             {manifests: []string{"kubernetes/base/migrate.yaml"}, need: config.NeedDatabase},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := slices.Clone(literals)
			for _, manifest := range tt.manifests {
				for _, variable := range variables(t, manifest) {
					environ = append(environ, strings.Replace(variable, "/run/secrets/dialogsync", secrets, 1))
				}
			}
			settings, err := config.Load(environ, tt.need)
			require.NoError(t, err)
			require.Equal(t, tt.bus, settings.ServiceBus != nil)
		})
	}
}

// variables returns what a manifest sets in the environment of its first container, NAME=value.
func variables(t *testing.T, manifest string) []string {
	t.Helper()
	var workload struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Env []struct {
							Name  string `yaml:"name"`
							Value string `yaml:"value"`
						} `yaml:"env"`
					} `yaml:"containers"`
				} `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	read(t, manifest, &workload)
	var environ []string
	for _, variable := range workload.Spec.Template.Spec.Containers[0].Env {
		environ = append(environ, variable.Name+"="+variable.Value)
	}
	return environ
}

// configMap returns the settings that a kustomization adds, NAME=value.
func configMap(t *testing.T, folder string) []string {
	t.Helper()
	var kustomization struct {
		ConfigMapGenerator []struct {
			Literals []string `yaml:"literals"`
		} `yaml:"configMapGenerator"`
	}
	read(t, filepath.Join(folder, "kustomization.yaml"), &kustomization)
	require.Len(t, kustomization.ConfigMapGenerator, 1)
	return kustomization.ConfigMapGenerator[0].Literals
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, into))
}
