package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What Terraform leaves to releases stands in arguments that no plan with a mocked provider shows: terraform/test/apply
// makes the releases, where there is an emulator. Here the arguments themselves are read.
func TestWhatBelongsToReleasesIsIgnored(t *testing.T) {
	for _, want := range []struct{ file, block, line string }{
		{"modules/ecs-service/main.tf", `resource "aws_ecs_service" "this"`, `ignore_changes = \[task_definition, desired_count\]`},
		{"modules/alb/main.tf", `resource "aws_lb_listener_rule" "production"`, `ignore_changes\s+= \[action\]`},
		{"modules/alb/main.tf", `resource "aws_lb_listener_rule" "test"`, `ignore_changes\s+= \[action\]`},
		{"environments/dev/providers.tf", `provider "aws"`, `key_prefixes = \["connect2:"\]`}, // the other environments' are the same
	} {
		text, err := os.ReadFile(filepath.Join(root, "terraform", want.file))
		if err != nil {
			t.Error(err)
			continue
		}
		_, block, found := strings.Cut("\n"+string(text), "\n"+want.block+" {\n")
		block, _, _ = strings.Cut(block, "\n}\n")
		if !found || !regexp.MustCompile(`(?m)^ +`+want.line+`$`).MatchString(block) {
			t.Errorf("%s: %s has no line %s", want.file, want.block, want.line)
		}
	}
}

// The state of an environment is its own: encrypted, locked, in the bucket that bears its name.
func TestEveryEnvironmentHasItsOwnState(t *testing.T) {
	for _, environment := range []string{"dev", "staging", "prod"} {
		text, err := os.ReadFile(filepath.Join(root, "terraform", "environments", environment, "backend.tf"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, line := range []string{
			`bucket += "connect2-api-terraform-state-` + environment + `"`, `region += "us-west-2"`, `encrypt += true`, `use_lockfile += true`,
		} {
			if !regexp.MustCompile(`(?m)^ +` + line + `$`).Match(text) {
				t.Errorf("%s/backend.tf has no line %s", environment, line)
			}
		}
	}
}

// Whoever gives bad input reads a sentence: what is wrong, with a full stop. A lower-case beginning is a variable's name.
func TestEveryRefusalIsASentence(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "terraform", "*", "*", "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	refusals := 0
	message := regexp.MustCompile(`(?m)^ +error_message = "(.*)"$`)
	name := regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)*[ ,]`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(message.FindAll(text, -1)), strings.Count(string(text), "error_message"); got != want {
			t.Errorf("%s: %d of %d messages are read", file, got, want)
		}
		for _, found := range message.FindAllStringSubmatch(string(text), -1) {
			refusals++
			said := found[1]
			begins := said[0] >= 'A' && said[0] <= 'Z' || name.MatchString(said)
			if !begins || !strings.HasSuffix(said, ".") || strings.Count(said, " ") < 5 {
				t.Errorf("%s: %q is not a sentence", file, said)
			}
		}
	}
	if refusals < 40 {
		t.Errorf("%d refusals; there were more than 40: are they still read?", refusals)
	}
}
