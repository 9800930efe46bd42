package workflowtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheUpdateBotFindsWhatIsNamed applies the bot's own patterns: every image and Terraform that a file names is found by one.
func TestTheUpdateBotFindsWhatIsNamed(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, ".github/renovate.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		CustomManagers []struct {
			ManagerFilePatterns, MatchStrings []string
			AutoReplaceStringTemplate         string
		}
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, path := range []string{"Dockerfile", "Dockerfile.terraform", "examples/api/docker/Dockerfile", ".github/workflows/ci.yml"} {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, manager := range config.CustomManagers {
			for _, pattern := range manager.ManagerFilePatterns {
				if !regexp.MustCompile(strings.Trim(pattern, "/")).MatchString(path) {
					continue
				}
				for _, match := range manager.MatchStrings {
					for _, m := range regexp.MustCompile(match).FindAllString(string(text), -1) {
						found[path] += strings.TrimSpace(m) + "\n"
					}
				}
			}
		}
	}
	for path, want := range map[string][]string{
		"Dockerfile":                     {"ARG GO=golang:"},
		"Dockerfile.terraform":           {"ARG GO=golang:", "ARG TERRAFORM=hashicorp/terraform:", "ARG BASE=debian:"},
		"examples/api/docker/Dockerfile": {"ARG PYTHON_IMAGE=python:"},
		".github/workflows/ci.yml":       {"terraform_version: "},
	} {
		for _, name := range want {
			if !strings.Contains(found[path], name) {
				t.Errorf("%s: the bot does not find %q: %q", path, name, found[path])
			}
		}
	}
}

// TestTheUpdateBotPins applies the bot's replacement to a base image that has no digest: the argument keeps its name, and gets one. What
// comes of it is found again, with its digest.
func TestTheUpdateBotPins(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, ".github/renovate.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		CustomManagers []struct {
			MatchStrings              []string
			AutoReplaceStringTemplate string
		}
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	images := config.CustomManagers[0]
	pattern := regexp.MustCompile(images.MatchStrings[0])
	digest := "sha256:" + strings.Repeat("5", 64)
	const image = "ARG PYTHON_IMAGE=python:3.12-slim"
	for _, from := range []string{image + "\n", image + "@sha256:" + strings.Repeat("4", 64) + "\n"} {
		m := pattern.FindStringSubmatch(from)
		if m == nil {
			t.Fatalf("%q is not found", from)
		}
		template := images.AutoReplaceStringTemplate
		for name, value := range map[string]string{"depType": m[pattern.SubexpIndex("depType")], "depName": m[pattern.SubexpIndex("depName")],
			"newValue": m[pattern.SubexpIndex("currentValue")], "newDigest": digest} {
			template = strings.ReplaceAll(template, "{{{"+name+"}}}", value)
		}
		template = strings.NewReplacer("{{#if newDigest}}", "", "{{/if}}", "").Replace(template)
		pinned := strings.Replace(from, m[0], template, 1)
		if want := "ARG PYTHON_IMAGE=python:3.12-slim@" + digest + "\n"; pinned != want {
			t.Errorf("%q becomes %q, want %q", from, pinned, want)
		}
		if again := pattern.FindStringSubmatch(pinned); again == nil || again[pattern.SubexpIndex("currentDigest")] != digest {
			t.Errorf("%q is not found with its digest: %q", pinned, again)
		}
	}
}

// TestTerraformIsPinned holds that the Terraform of the image has a digest, and is the version that the checks run.
func TestTerraformIsPinned(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	m := regexp.MustCompile(`(?m)^ARG TERRAFORM=hashicorp/terraform:([0-9.]+)@sha256:[0-9a-f]{64}$`).FindStringSubmatch(read("Dockerfile.terraform"))
	if m == nil {
		t.Fatal("Dockerfile.terraform names no Terraform by version and digest")
	}
	versions := regexp.MustCompile(`terraform_version: (.*)`).FindAllStringSubmatch(read(".github/workflows/ci.yml"), -1)
	if len(versions) == 0 {
		t.Error("ci.yml names no Terraform")
	}
	for _, v := range versions {
		if v[1] != m[1] {
			t.Errorf("ci.yml runs %s, the image has %s", v[1], m[1])
		}
	}
}
