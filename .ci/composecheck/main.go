// Command composecheck loads a compose file the way `docker compose` does, which refuses unknown keys and undefined services,
// secrets and volumes, and looks whether the files that it names are there:
//
//	go run . ../../docker-compose.yml
//
// It is a module of its own, so that compose's dependencies stay out of dialogsync's.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: composecheck docker-compose.yml")
		os.Exit(2)
	}
	services, err := check(context.Background(), os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "composecheck:", err)
		os.Exit(1)
	}
	fmt.Printf("%s is well-formed: %d services\n", filepath.Base(os.Args[1]), services)
}

func check(ctx context.Context, file string) (int, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithWorkingDirectory(filepath.Dir(file)))
	if err != nil {
		return 0, fmt.Errorf("options: %w", err)
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	for name, secret := range project.Secrets {
		_, err := os.Stat(secret.File)
		if err != nil {
			return 0, fmt.Errorf("secret %s: %w", name, err)
		}
	}
	for name, service := range project.Services {
		err := checkBuild(service.Build)
		if err != nil {
			return 0, fmt.Errorf("service %s: %w", name, err)
		}
	}
	return len(project.Services), nil
}

func checkBuild(build *types.BuildConfig) error {
	if build == nil {
		return nil
	}
	dockerfile := build.Dockerfile
	if !filepath.IsAbs(dockerfile) {
		dockerfile = filepath.Join(build.Context, dockerfile)
	}
	_, err := os.Stat(dockerfile)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}
