// Makes the JSON schemas beside it, for kubeconform, from the OpenAPI document of a Kubernetes release:
//
//	go run .ci/kubernetes-schemas/generate.go
//
// There is a file for each kind that deploy/kubernetes uses, self-contained and closed: members that the API does not know are
// refused. A kind that is not listed here fails the check for want of a schema. Traefik's Middleware is no part of that document:
// middleware-traefik-v1alpha1.json is written by hand and knows the one middleware that is used, ipAllowList.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const release = "k8s.io/kubernetes@v1.34.2"

// kinds lists what is wanted as the OpenAPI document names it, with the name of the file after kubeconform's template
// {{.ResourceKind}}{{.KindSuffix}}.
var kinds = map[string]string{
	"io.k8s.api.apps.v1.Deployment":            "deployment-apps-v1",
	"io.k8s.api.batch.v1.Job":                  "job-batch-v1",
	"io.k8s.api.core.v1.ConfigMap":             "configmap-v1",
	"io.k8s.api.core.v1.Secret":                "secret-v1",
	"io.k8s.api.core.v1.Service":               "service-v1",
	"io.k8s.api.core.v1.ServiceAccount":        "serviceaccount-v1",
	"io.k8s.api.networking.v1.Ingress":         "ingress-networking-v1",
	"io.k8s.api.policy.v1.PodDisruptionBudget": "poddisruptionbudget-policy-v1",
}

type object = map[string]any

func main() {
	if err := generate(); err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes schemas:", err)
		os.Exit(1)
	}
}

func generate() error {
	definitions, err := readDefinitions()
	if err != nil {
		return err
	}
	for definition, name := range kinds {
		schema, err := definitions.inline(definition, nil)
		if err != nil {
			return err
		}
		schema["$schema"] = "http://json-schema.org/schema#"
		text, err := json.Marshal(schema)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		err = os.WriteFile(filepath.Join(".ci", "kubernetes-schemas", name+".json"), append(text, '\n'), 0o644)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

type definitions map[string]object

func readDefinitions() (definitions, error) {
	command := exec.Command("go", "mod", "download", "-json", release)
	command.Dir = os.TempDir() // in no module, so that none of ours changes
	answer, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", release, err)
	}
	var module struct{ Dir string }
	err = json.Unmarshal(answer, &module)
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", release, err)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "api", "openapi-spec", "swagger.json"))
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	var document struct{ Definitions definitions }
	err = json.Unmarshal(text, &document)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	return document.Definitions, nil
}

// inline returns a definition with everything that it refers to written out. within holds the definitions on the way to it.
func (d definitions) inline(name string, within []string) (object, error) {
	definition, ok := d[name]
	if !ok {
		return nil, fmt.Errorf("no definition of %s in %s", name, release)
	}
	for _, outer := range within {
		if outer == name {
			return nil, fmt.Errorf("%s contains itself", name)
		}
	}
	switch {
	case definition["format"] == "int-or-string":
		return object{"type": []string{"integer", "string"}}, nil
	case strings.HasSuffix(name, ".api.resource.Quantity"):
		return object{"type": []string{"number", "string"}}, nil
	}
	schema, err := d.resolve(definition, append(within, name))
	if err != nil {
		return nil, err
	}
	if _, structured := schema["properties"]; structured {
		schema["additionalProperties"] = false
	}
	return schema, nil
}

// resolve copies a schema, less what does not help to check with it.
func (d definitions) resolve(schema object, within []string) (object, error) {
	if reference, ok := schema["$ref"].(string); ok {
		return d.inline(strings.TrimPrefix(reference, "#/definitions/"), within)
	}
	resolved := object{}
	for key, value := range schema {
		var err error
		switch key {
		case "type", "required", "enum":
			resolved[key] = value
		case "items", "additionalProperties":
			resolved[key], err = d.resolveAny(value, within)
		case "properties":
			resolved[key], err = d.resolveProperties(value, within)
		}
		if err != nil {
			return nil, err
		}
	}
	return resolved, nil
}

func (d definitions) resolveAny(value any, within []string) (any, error) {
	schema, ok := value.(object)
	if !ok {
		return value, nil
	}
	return d.resolve(schema, within)
}

func (d definitions) resolveProperties(value any, within []string) (object, error) {
	properties, ok := value.(object)
	if !ok {
		return nil, errors.New("properties that are no object")
	}
	resolved := object{}
	for name, property := range properties {
		schema, err := d.resolveAny(property, within)
		if err != nil {
			return nil, err
		}
		resolved[name] = schema
	}
	return resolved, nil
}
