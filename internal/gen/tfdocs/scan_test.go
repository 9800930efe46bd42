package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// scanned is an entry of terraform/.trivyignore.yaml.
type scanned struct {
	ID        string   `yaml:"id"`
	Paths     []string `yaml:"paths"`
	Resources []string `yaml:"resources"`
	Statement string   `yaml:"statement"`
}

// wide says what of an exception reaches further than one place, gives no reason, or is about nothing that is there; read returns a
// file's text.
func (s scanned) wide(read func(name string) string) (problems []string) {
	if !regexp.MustCompile(`^AVD-[A-Z]+-\d{4}$`).MatchString(s.ID) {
		problems = append(problems, "names no check")
	}
	if len(s.Statement) < 20 {
		problems = append(problems, "gives no reason")
	}
	if len(s.Paths) == 0 || len(s.Resources) == 0 {
		problems = append(problems, "names no file or no resource: it would hold everywhere")
	}
	texts := ""
	for _, name := range s.Paths {
		text := read(name)
		if strings.ContainsAny(name, "*?[{!") || text == "" {
			problems = append(problems, name+" is not the name of one file")
		}
		texts += text
	}
	for _, resource := range s.Resources {
		kind, name, _ := strings.Cut(resource, ".")
		if !strings.Contains(texts, fmt.Sprintf("resource %q %q {", kind, name)) {
			problems = append(problems, resource+" is not a resource of its files")
		}
	}
	return problems
}

// TestExceptionsFromTheScanAreForOnePlaceEach: none holds for the whole configuration, and each is about something that is there. That
// each still matches a finding is for terraform/test/scan, which has Trivy's checks.
func TestExceptionsFromTheScanAreForOnePlaceEach(t *testing.T) {
	folder := filepath.Join(root, "terraform")
	text, err := os.ReadFile(filepath.Join(folder, ".trivyignore.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]scanned{}
	if err := yaml.Unmarshal(text, &kinds); err != nil {
		t.Fatal(err)
	}
	list := kinds["misconfigurations"]
	if len(kinds) != 1 || len(list) == 0 {
		t.Errorf("it has %d sections and %d exceptions; it is for misconfigurations alone", len(kinds), len(list))
	}
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(folder, name)) // a file that is not there is reported
		return string(text)
	}
	seen := map[string]bool{}
	for _, s := range list {
		for _, problem := range s.wide(read) {
			t.Errorf("the exception from %s %s", s.ID, problem)
		}
		for _, resource := range s.Resources {
			key := fmt.Sprint(s.ID, s.Paths, resource)
			if seen[key] {
				t.Errorf("%s is excepted from %s twice", resource, s.ID)
			}
			seen[key] = true
		}
	}
	// Other ways around a check: a list without files, and comments in the files.
	if _, err := os.Stat(filepath.Join(folder, ".trivyignore")); err == nil {
		t.Error("terraform/.trivyignore holds everywhere: the exceptions are in .trivyignore.yaml")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*", "*", "*.tf"))
	if err != nil || len(files) < 50 {
		t.Errorf("%d files of Terraform: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if regexp.MustCompile(`(?i)(trivy|tfsec):ignore|checkov:skip`).Match(text) {
			t.Errorf("%s excepts itself from a check: the exceptions are in terraform/.trivyignore.yaml", file)
		}
	}
}

func TestWideExceptionsAreTold(t *testing.T) {
	good := func() scanned {
		return scanned{"AVD-AWS-0001", []string{"a.tf"}, []string{"aws_a.x"}, "There is a reason for this one."}
	}
	read := func(name string) string {
		return map[string]string{"a.tf": "resource \"aws_a\" \"x\" {\n}\n", "*.tf": "resource \"aws_a\" \"x\" {\n}\n"}[name]
	}
	everywhere := []string{"names no file or no resource: it would hold everywhere"}
	for name, test := range map[string]struct {
		change func(*scanned)
		want   []string
	}{
		"good":                {func(*scanned) {}, nil},
		"no check":            {func(s *scanned) { s.ID = "all" }, []string{"names no check"}},
		"no reason":           {func(s *scanned) { s.Statement = "" }, []string{"gives no reason"}},
		"everywhere":          {func(s *scanned) { s.Paths, s.Resources = nil, nil }, everywhere},
		"the whole file":      {func(s *scanned) { s.Resources = nil }, everywhere},
		"a pattern":           {func(s *scanned) { s.Paths = []string{"*.tf"} }, []string{"*.tf is not the name of one file"}},
		"a file that is gone": {func(s *scanned) { s.Paths = append(s.Paths, "b.tf") }, []string{"b.tf is not the name of one file"}},
		"a resource that is gone": {func(s *scanned) { s.Resources = append(s.Resources, "aws_a.y") },
			[]string{"aws_a.y is not a resource of its files"}},
	} {
		s := good()
		test.change(&s)
		if got := s.wide(read); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
