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
		CustomManagers []struct{ ManagerFilePatterns, MatchStrings []string }
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, path := range []string{"Dockerfile", "Dockerfile.terraform", ".github/workflows/ci.yml"} {
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
		"Dockerfile":               {"ARG GO=golang:"},
		"Dockerfile.terraform":     {"ARG GO=golang:", "ARG TERRAFORM=hashicorp/terraform:", "ARG BASE=debian:"},
		".github/workflows/ci.yml": {"terraform_version: "},
	} {
		for _, name := range want {
			if !strings.Contains(found[path], name) {
				t.Errorf("%s: the bot does not find %q: %q", path, name, found[path])
			}
		}
	}
}
