package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-version"
	tfjson "github.com/hashicorp/terraform-json"
)

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		name string
		got  []string
		want string
	}{
		{"init", InitOptions{}.args(), "init -json -input=false -no-color -reconfigure"},
		{"init with all", InitOptions{Backend: []string{"key=a", "/x/b.hcl"}, Readonly: true}.args(),
			"init -json -input=false -no-color -lockfile=readonly -backend-config=key=a -backend-config=/x/b.hcl -reconfigure"},
		{"init that updates", InitOptions{Upgrade: true}.args(), "init -json -input=false -no-color -upgrade -reconfigure"},
		{"plan without a lock", PlanOptions{Out: "/w/p", LockTimeout: time.Minute}.args(),
			"plan -json -input=false -no-color -detailed-exitcode -out=/w/p -lock=false"},
		{"plan with all", PlanOptions{Out: "p", Lock: true, LockTimeout: 2 * time.Minute, Parallelism: 3, Destroy: true, VarFiles: []string{"a",
			"b"}, Targets: []string{"x.y"}, Replace: []string{`m["k"].z`}}.args(),
			`plan -json -input=false -no-color -detailed-exitcode -out=p -lock=true -lock-timeout=2m0s -parallelism=3 -destroy -var-file=a -var-file=b -target=x.y -replace=m["k"].z`},
		{"apply", ApplyOptions{Plan: "p", LockTimeout: time.Second}.args(), "apply -json -input=false -no-color -lock-timeout=1s p"},
	} {
		if got := strings.Join(test.got, " "); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func failure(summary, detail string) error {
	return &Failure{Command: "init", Code: 1, Diagnostics: []tfjson.Diagnostic{{Summary: summary, Detail: detail}}}
}

func TestOnlyWhatPassesIsRepeated(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{failure("Failed to query available provider packages", "could not connect to registry.terraform.io: 503 Service\nUnavailable"), true},
		{failure("reading ECS Cluster", "ThrottlingException: Rate exceeded"), true},
		{failure("Failed to install provider", "read tcp: connection\nreset by peer"), true},
		{failure("Failed to query available provider packages", "no available releases match the given constraints"), false},
		{failure("Unsupported argument", "An argument named x is not expected here."), false},
		{errors.New("429"), false},
	} {
		if got := isPassing(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		start, tries := time.Now(), 0
		err := (&Runner{}).patiently(t.Context(), "init", func() error { tries++; return failure("x", "rate exceeded") })
		if err == nil || tries != 3 || time.Since(start) != 20*time.Second {
			t.Errorf("%d tries in %v: %v", tries, time.Since(start), err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		time.AfterFunc(time.Second, func() { cancel(stop) })
		if err := (&Runner{}).patiently(ctx, "init", func() error { return failure("x", "rate exceeded") }); !errors.Is(err, stop) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

// install makes an executable that answers `version -json`.
func install(t *testing.T, dir, name, version string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\necho '{\"terraform_version\":\"%s\"}'\n", version), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name      string
		installed []string // versions, each in a folder of the path
		cached    []string
		asked     string
		file      string // .terraform-version
		tofuFile  string // .opentofu-version
		required  string
		engine    Engine
		want      string // version; "" is an error
		downloads string // what is asked of the installer
		says      string
	}{
		{name: "the newest", installed: []string{"1.10.5", "1.11.4", "1.9.0"}, want: "1.11.4"},
		{name: "a version", installed: []string{"1.10.5", "1.11.4"}, asked: "1.10.5", want: "1.10.5"},
		{name: "a constraint", installed: []string{"1.10.5", "1.11.4"}, asked: "~> 1.10.0", want: "1.10.5"},
		{name: "the file", installed: []string{"1.10.5", "1.11.4"}, file: "1.10.5\n", want: "1.10.5"},
		{name: "the input is above the file", installed: []string{"1.10.5", "1.11.4"}, file: "1.10.5", asked: "1.11.4", want: "1.11.4"},
		{name: "required_version", installed: []string{"1.10.5", "1.11.4"}, required: "< 1.11", want: "1.10.5"},
		{name: "an installed one earlier", installed: []string{"1.11.4"}, cached: []string{"1.12.1"}, asked: "1.12.1", want: "1.12.1"},
		{name: "a download", installed: []string{"1.11.4"}, asked: "1.13.0", want: "1.13.0", downloads: "1.13.0"},
		{name: "a download of a constraint", asked: ">= 1.13", want: "1.13.9", downloads: ">= 1.13"},
		{name: "OpenTofu is not downloaded", engine: OpenTofu, says: "opentofu/setup-opentofu"},
		{name: "OpenTofu by its own file", engine: OpenTofu, installed: []string{"1.10.5", "1.11.4"}, tofuFile: "1.10.5", want: "1.10.5"},
		{name: "not by Terraform's", engine: OpenTofu, installed: []string{"1.10.5", "1.11.4"}, file: "1.10.5", want: "1.11.4"},
		{name: "and the other way round", installed: []string{"1.10.5", "1.11.4"}, tofuFile: "1.10.5", want: "1.11.4"},
		{name: "nonsense", asked: "newest", says: "neither a version nor a constraint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "terraform", "dev")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			var path []string
			for _, v := range test.installed {
				folder := filepath.Join(root, "bin", v)
				install(t, folder, test.engine.String(), v)
				path = append(path, folder)
			}
			cache := filepath.Join(root, "cache")
			for _, v := range test.cached {
				install(t, filepath.Join(cache, v), "terraform", v)
			}
			if test.file != "" {
				os.WriteFile(filepath.Join(root, ".terraform-version"), []byte(test.file), 0o644)
			}
			if test.tofuFile != "" {
				os.WriteFile(filepath.Join(root, ".opentofu-version"), []byte(test.tofuFile), 0o644)
			}
			os.WriteFile(filepath.Join(dir, "versions.tf"), []byte("terraform {\n  required_version = \""+test.required+"\"\n}\n"), 0o644)
			engine := test.engine
			if engine == "" {
				engine = HashiCorp
			}
			asked := ""
			found, err := Finder{
				Engine: engine, Version: test.asked, Dir: dir, Root: root, Path: strings.Join(path, ":"), Cache: cache,
				Install: func(_ context.Context, wanted version.Constraints, exact *version.Version, cache string) (string, error) {
					v := "1.13.9"
					if asked = wanted.String(); exact != nil {
						v = exact.String()
					}
					return install(t, filepath.Join(cache, v), "terraform", v), nil
				},
			}.Find(t.Context())
			if found.Version != test.want || (err == nil) != (test.want != "") || asked != test.downloads {
				t.Errorf("found %+v, downloaded %q: %v", found, asked, err)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v does not say %q", err, test.says)
			}
		})
	}
}

// TestEachTerraformIsAskedOnce: whatever the path leads to twice, by a folder that is there twice or is another's link, or by a link to
// the program, is asked for its version once; another program is asked as well.
func TestEachTerraformIsAskedOnce(t *testing.T) {
	root := t.TempDir()
	usr, linked, other := filepath.Join(root, "usr"), filepath.Join(root, "linked"), filepath.Join(root, "other")
	asked := filepath.Join(root, "asked")
	for dir, version := range map[string]string{usr: "1.11.4", other: "1.10.5"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("#!/bin/sh\necho %[1]s \"$@\" >>'%[2]s'\necho '{\"terraform_version\":\"%[1]s\"}'\n", version, asked)
		if err := os.WriteFile(filepath.Join(dir, "terraform"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(usr, filepath.Join(root, "bin")), os.Mkdir(linked, 0o755),
		os.Symlink(filepath.Join(usr, "terraform"), filepath.Join(linked, "terraform"))); err != nil {
		t.Fatal(err)
	}
	path := strings.Join([]string{usr, filepath.Join(root, "bin"), usr, linked, other}, ":")
	found, err := Finder{Engine: HashiCorp, Dir: root, Root: root, Path: path}.Find(t.Context())
	if err != nil || found.Path != filepath.Join(usr, "terraform") || found.Version != "1.11.4" {
		t.Errorf("found %+v: %v", found, err)
	}
	text, err := os.ReadFile(asked)
	if want := "1.11.4 version -json\n1.10.5 version -json\n"; err != nil || string(text) != want {
		t.Errorf("asked: %q, want %q: %v", text, want, err)
	}
}

// TestAnExecutableIsAskedOnce has one Finder after the other look: an executable that has said its version is not started again, unless its
// file has changed since; one that failed is.
func TestAnExecutableIsAskedOnce(t *testing.T) {
	dir := t.TempDir()
	asked, broken := filepath.Join(dir, "asked"), filepath.Join(dir, "broken")
	write := func(version string) {
		t.Helper()
		script := "#!/bin/sh\necho >>" + asked + "\ntest ! -e " + broken + " && echo '{\"terraform_version\":\"" + version + "\"}'\n"
		if err := os.WriteFile(filepath.Join(dir, "terraform"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var told Versions
	for _, step := range []struct {
		name   string
		before func()
		told   *Versions
		want   string
		times  int // since the beginning
	}{
		{"first", func() { write("1.9.0") }, &told, "1.9.0", 1},
		{"again", func() {}, &told, "1.9.0", 1},
		{"by one that remembers nothing", func() {}, nil, "1.9.0", 2},
		{"another file", func() { write("1.10.12") }, &told, "1.10.12", 3},
		{"again, broken where nobody sees it", func() { os.WriteFile(broken, nil, 0o644) }, &told, "1.10.12", 3},
		{"another file, broken", func() { write("1.10.1") }, &told, "", 4},
		{"mended", func() { os.Remove(broken) }, &told, "1.10.1", 5},
		{"again", func() {}, &told, "1.10.1", 5},
	} {
		step.before()
		found, err := Finder{Engine: HashiCorp, Dir: dir, Root: dir, Path: dir, Told: step.told, Install: func(context.Context,
			version.Constraints, *version.Version, string) (string, error) {
			return "", errors.New("not here")
		}}.Find(t.Context())
		if found.Version != step.want || (err == nil) != (step.want != "") {
			t.Errorf("%s: found %+v: %v; want %q", step.name, found, err, step.want)
		}
		text, _ := os.ReadFile(asked)
		if times := strings.Count(string(text), "\n"); times != step.times {
			t.Errorf("%s: asked %d times by now, want %d", step.name, times, step.times)
		}
	}
}

func TestHeldLock(t *testing.T) {
	text := "Error message: operation error S3: PutObject, https response error StatusCode:\n412, api error PreconditionFailed\nLock " +
		"Info:\n  ID:        1a-2b\n  Path:      bucket/key\n  Operation: OperationTypeApply\n  Who:       root@box\n  Version:   1.11.4\n  " +
		"Created:   2026-01-02 03:04:05.123456789 +0000 UTC\n  Info:      \n\n\nTerraform acquires a state lock"
	lock, ok := HeldLock(fmt.Errorf("wrapped: %w", failure("Error acquiring the state lock", text)))
	if !ok || lock.ID != "1a-2b" || lock.Who != "root@box" || lock.Created.Unix() != 1767323045 {
		t.Errorf("%+v %v", lock, ok)
	}
	for _, err := range []error{nil, errors.New("x"), failure("Error acquiring the state lock",
		"AccessDenied: unable to retrieve file from S3 bucket"), failure("other", text)} {
		if lock, ok := HeldLock(err); ok {
			t.Errorf("%v is read as %+v", err, lock)
		}
	}
}

func TestS3StateOf(t *testing.T) {
	for _, test := range []struct {
		name, text, workspace string
		want                  S3State
		ok                    bool
	}{
		{"none", "", "", S3State{}, false},
		{"local", `{"backend":{"type":"local","config":{"path":"x"}}}`, "", S3State{}, false},
		{"S3", `{"backend":{"type":"s3","config":{"bucket":"b","key":"k","region":"r","use_lockfile":true}}}`, "default", S3State{"b", "k", "r",
			true}, true},
		{"a workspace", `{"backend":{"type":"s3","config":{"bucket":"b","key":"k","region":"r"}}}`, "blue", S3State{"b", "env:/blue/k", "r",
			false}, true},
		{"a prefix", `{"backend":{"type":"s3","config":{"bucket":"b","key":"k","region":"r","workspace_key_prefix":"w"}}}`, "blue", S3State{"b",
			"w/blue/k", "r", false}, true},
	} {
		dir := t.TempDir()
		if test.text != "" {
			os.WriteFile(filepath.Join(dir, "terraform.tfstate"), []byte(test.text), 0o644)
		}
		if got, ok, err := S3StateOf(dir, test.workspace); got != test.want || ok != test.ok || err != nil {
			t.Errorf("%s: %+v %v %v", test.name, got, ok, err)
		}
	}
}

func TestTracker(t *testing.T) {
	var tr tracker
	for _, line := range []string{
		`{"@level":"info","@message":"a: Creating...","type":"apply_start","hook":{"resource":{"addr":"a"},"action":"create"}}`,
		`{"@level":"info","@message":"b: Destroying...","type":"apply_start","hook":{"resource":{"addr":"b"},"action":"delete"}}`,
		`{"@level":"info","@message":"c: Creating...","type":"apply_start","hook":{"resource":{"addr":"c"},"action":"create"}}`,
		`{"@level":"info","@message":"a: done","type":"apply_complete","hook":{"resource":{"addr":"a"},"action":"create"}}`,
		`{"@level":"info","@message":"c: failed","type":"apply_errored","hook":{"resource":{"addr":"c"},"action":"create"}}`,
	} {
		m, ok := parseMessage(line)
		if !ok {
			t.Fatal(line)
		}
		tr.see(m)
	}
	if tr.done != 1 || len(tr.underWay) != 1 || tr.underWay["b"] != "delete" || !slices.Equal(tr.failed, []CutOff{{"c", "create"}}) {
		t.Errorf("%+v", tr)
	}
	for _, line := range []string{"", "Terraform crashed", "{", `{"a":1}`} {
		if m, ok := parseMessage(line); ok {
			t.Errorf("%q is read as %+v", line, m)
		}
	}
}
