package nearest

import (
	"slices"
	"testing"
)

func TestOne(t *testing.T) {
	names := []string{"cluster", "service", "image", "task-definition", "to", "wait", "wait-for-minutes", "seed", "speed"}
	for written, want := range map[string]string{
		"clutser": "cluster", "CLUSTER": "cluster", "task_definition": "task-definition", "taskdefinition": "task-definition",
		"imgae": "image", "services": "service", "t": "to", "zebra": "", "wait-for-minute": "wait-for-minutes", "": "",
		"sped": "speed", "sed": "seed", "seeed": "seed",
	} {
		if got := One(written, names); got != want {
			t.Errorf("One(%q) = %q, want %q", written, got, want)
		}
	}
}

func TestTypo(t *testing.T) {
	names := []string{"cpu", "image", "links", "environment", "environmentFiles", "pidMode", "ipcMode", "dependsOn", "a1234567", "b1234567"}
	for written, want := range map[string]string{
		"enviroment": "environment", "Environment": "environment", "enviromnet": "environment", "envronmnt": "environment", "envrnmnt": "",
		"CPU": "cpu", "gpu": "", "link": "links", "likns": "links", "lnik": "", "lin": "", "iamges": "", "depends_on": "dependsOn",
		"x1234567": "", "": "",
		"cpidMode": "pidMode", "pdcMode": "", "image": "image",
	} {
		if got := Typo(written, names); got != want {
			t.Errorf("Typo(%q) = %q, want %q", written, got, want)
		}
	}
}

func TestSome(t *testing.T) {
	tags := []string{"v1.0.0", "v1.0.1", "main-1234567", "latest", "1234567"}
	for written, want := range map[string][]string{
		"v1.0.2":  {"v1.0.0", "v1.0.1"},
		"lates":   {"latest"},
		"V1.0.0":  {"v1.0.0", "v1.0.1"},
		"1234567": {"1234567", "main-1234567"},
		"zzz":     nil,
	} {
		if got := Some(written, tags, 5); !slices.Equal(got, want) {
			t.Errorf("Some(%q) = %q, want %q", written, got, want)
		}
	}
	if got := Some("v1", []string{"v1.2", "v1.1", "v1.1", "v1.3"}, 2); !slices.Equal(got, []string{"v1.1", "v1.2"}) {
		t.Errorf("got %q: want the first two, each once", got)
	}
}
