//go:build act

// Whole workflows, run by nektos/act with the actions' real image, against the sandbox. test/act/run starts them.
//
// What a runner on GitHub has and this has not: actions of others are stood in for by a few lines of shell (standIns), the
// service's image is made beforehand instead of built, and act enforces no permissions, environments and concurrency groups
// (the tests of the files do, as far as files tell).
package workflowtest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// standIns are actions of others, as far as the workflows use them. Their inputs are all that a workflow gives them.
var standIns = map[string]string{
	"actions/checkout": `
    - shell: bash
      env: {REF: "${{ inputs.ref }}", DEPTH: "${{ inputs.fetch-depth }}"}
      run: |
        find . -mindepth 1 -delete
        git init --quiet .
        git remote add origin "file://$CALLER"
        REF=${REF:-$GITHUB_SHA}
        # A hash in full is a commit; anything else is a branch or a tag, and there has to be one (its src/ref-helper.ts).
        if ! [[ $REF =~ ^([0-9a-f]{40}|[0-9a-f]{64})$ ]]; then
          name=${REF#refs/heads/} name=${name#refs/tags/}
          if ! git ls-remote --exit-code origin "refs/heads/$name" "refs/tags/$name" >/dev/null; then
            echo "A branch or tag with the name '$REF' could not be found"
            exit 1
          fi
        fi
        if [[ $DEPTH == 0 ]]; then
          git fetch --quiet --tags origin '+refs/heads/*:refs/remotes/origin/*'
          git checkout --quiet --detach "origin/$REF" 2>/dev/null || git checkout --quiet --detach "$REF"
        else
          git fetch --quiet --no-tags --depth 1 origin "$REF"
          git checkout --quiet --detach FETCH_HEAD
        fi`,
	// The Python of the job's image.
	"actions/setup-python": `
    - shell: bash
      env: {WANTED: "${{ inputs.python-version }}"}
      run: test -n "$WANTED" && python --version`,
	"actions/upload-artifact": `
    - shell: bash
      env: {NAME: "${{ inputs.name }}", FILES: "${{ inputs.path }}"}
      run: |
        mkdir -p "$ARTIFACTS/$NAME"
        while read -r pattern; do
          [[ -z $pattern ]] || cp $pattern "$ARTIFACTS/$NAME/"
        done <<<"$FILES"
        chmod -R a-x,a+X "$ARTIFACTS/$NAME" # an artifact keeps no modes`,
	"actions/download-artifact": `
    - shell: bash
      env: {NAME: "${{ inputs.name }}", TO: "${{ inputs.path }}"}
      run: mkdir -p "$TO" && cp "$ARTIFACTS/$NAME"/* "$TO"`,
	"docker/setup-buildx-action": `
    - {shell: bash, run: "true"}`,
	// Where a tar is asked for, the image is made beforehand. Otherwise Docker builds it, for this machine's platform alone.
	"docker/build-push-action": `
    - id: build
      shell: bash
      env: {CONTEXT: "${{ inputs.context }}", FILE: "${{ inputs.file }}", TARGET: "${{ inputs.target }}", OUTPUTS: "${{ inputs.outputs }}", PUSH: "${{ inputs.push }}", TAG: "${{ inputs.tags }}"}
      run: |
        test -f "$FILE"
        if [[ -n $OUTPUTS ]]; then
          cp "$IMAGE" "${OUTPUTS#*dest=}"
          exit
        fi
        imageid=$(docker build --quiet --file "$FILE" ${TARGET:+--target "$TARGET"} ${TAG:+--tag "$TAG"} "$CONTEXT")
        echo "imageid=$imageid" >>"$GITHUB_OUTPUT"
        if [[ $PUSH == true ]]; then
          docker push --quiet "$TAG"
          digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$TAG" | sed -n "s|^${TAG%:*}@||p")
          docker image rm --no-prune "$TAG" >/dev/null # and with its last name the digest's, on some engines
          docker image rm --no-prune "${TAG%:*}@$digest" >/dev/null 2>&1 || true
          echo "digest=$digest" >>"$GITHUB_OUTPUT"
        fi`,
	"anchore/sbom-action": recorded + `
    - shell: bash
      env: {FILE: "${{ inputs.output-file }}", SUBJECT: "${{ inputs.image }}"}
      run: printf '{"spdxVersion":"SPDX-2.3","name":"%s"}' "$SUBJECT" >"$FILE"`,
	"actions/attest": recorded + `
    - shell: bash
      env: {FILE: "${{ inputs.sbom-path }}", SUBJECT: "${{ inputs.subject-name }}@${{ inputs.subject-digest }}"}
      run: grep -F "$SUBJECT" "$FILE"`,
	"actions/attest-build-provenance": recorded + `
    - shell: bash
      env: {FILE: "${{ inputs.subject-checksums }}"}
      run: test -z "$FILE" || test -s "$FILE"`,
	"sigstore/cosign-installer": recorded + ownPrograms,
	"hashicorp/setup-terraform": recorded + ownPrograms,
	"actions/setup-go":          recorded,
	"docker/login-action":       recorded,
	"docker/setup-qemu-action":  recorded,
}

const (
	// recorded notes down what ACTION, the action's name, was given: a line of JSON each time.
	recorded = `
    - shell: bash
      env: {WITH: "${{ toJSON(inputs) }}"}
      run: jq --null-input --compact-output --arg uses ACTION --argjson with "$WITH" '{$uses, $with}' >>"$RECORD/uses"`
	// ownPrograms puts the programs of that name that a test wrote on the PATH, from this step on.
	ownPrograms = `
    - shell: bash
      run: echo "$RECORD/$(basename ACTION)" >>"$GITHUB_PATH"`
)

// tools makes what all tests share: act itself, this repository's files as GitHub would hold them, and the stand-ins.
var tools = sync.OnceValues(func() (*kit, error) {
	dir, err := os.MkdirTemp("", "workflowtest")
	if err != nil {
		return nil, err
	}
	home = dir
	if engineLock, err = alone(); err != nil {
		return nil, err
	}
	k := &kit{act: filepath.Join(dir, "act"), repository: filepath.Join(dir, "connect2"), cache: filepath.Join(dir, "cache"), home: dir}
	if err := command(root, "go", "build", "-modfile=tools/act/go.mod", "-o", k.act, "github.com/nektos/act"); err != nil {
		return nil, err
	}
	if err := command(root, "sh", "-c", `mkdir "$0" && git ls-files -z | xargs -0 tar c --ignore-failed-read | tar x -C "$0"`, k.repository); err != nil {
		return nil, err
	}
	// What a release does to its actions: all but one case run as released, and that one has act build the Dockerfile.
	if err := command(k.repository, "docker", "build", "--quiet", "--tag", actionImage, "."); err != nil {
		return nil, err
	}
	k.released = filepath.Join(dir, "released")
	if err := command(dir, "sh", "-c", `cp -r "$0" "$1" && sed -i 's|^  image: .*Dockerfile$|  image: docker://'"$2"'|' "$1"/actions/*/action.yml`,
		k.repository, k.released, actionImage); err != nil {
		return nil, err
	}
	used, err := thirdParty()
	if err != nil {
		return nil, err
	}
	for use, inputs := range used {
		name, ref, _ := strings.Cut(use, "@")
		steps, ok := standIns[name]
		if !ok {
			return nil, fmt.Errorf("a workflow uses %s, and nothing here stands in for it", name)
		}
		folder := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		text := "name: stand-in\ndescription: Stands in for " + name + ".\ninputs: {" + strings.Join(inputs, ": {}, ")
		if len(inputs) > 0 {
			text += ": {}"
		}
		text += "}\noutputs:\n  digest: {value: \"${{ steps.build.outputs.digest }}\"}\nruns:\n  using: composite\n  steps:" +
			strings.ReplaceAll(steps, "ACTION", name) + "\n"
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(folder, "action.yml"), []byte(text), 0o644); err != nil {
			return nil, err
		}
		k.local = append(k.local, name+"@"+ref+"="+folder)
	}
	return k, nil
})

// thirdParty returns the actions of others that the workflows use, with the inputs that they are given anywhere.
func thirdParty() (map[string][]string, error) {
	used := map[string][]string{}
	for _, pattern := range []string{".github/workflows/*.yml", "examples/*/.github/workflows/*.yml"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			var f file
			if err := yaml.Unmarshal(text, &f); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			for _, j := range f.Jobs {
				for _, s := range j.Steps {
					if !hash.MatchString(s.Uses) {
						continue
					}
					used[s.Uses] = append(used[s.Uses], slices.Collect(maps.Keys(s.With))...)
				}
			}
		}
	}
	for use, inputs := range used {
		slices.Sort(inputs)
		used[use] = slices.Compact(inputs)
	}
	return used, nil
}

// actionImage is the image of the Dockerfile.
const actionImage = "connect2-action:workflowtest"

// home is the folder that tools made, if it did.
var home string

// engineLock is held until the process ends.
var engineLock *os.File

// alone waits until no other run of these tests uses this machine's engine. act names a container by workflow, job and step
// alone, takes one of that name for its own, and removes it: of two runs, one would start or kill the other's actions.
func alone() (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "connect2-workflowtest.lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("waiting for the other runs on this engine: %w", err)
	}
	return lock, nil
}

type kit struct {
	act, cache, home     string
	repository, released string   // this repository, as it is and with the image of its actions
	local                []string // --local-repository, of actions of others
}

func TestMain(m *testing.M) {
	code := m.Run()
	if home != "" {
		os.RemoveAll(home)
	}
	os.Exit(code)
}

// site is a service's repository with an AWS account.
type site struct {
	t      *testing.T
	kit    *kit
	caller string
	origin string // a bare repository that the caller was cloned from, if any
	host   string
	sb     *sandbox.Sandbox
	vars   map[string]string
	base   string // the commit that a push or pull request is compared with
	hub    *hub   // GitHub's API; nil where a run needs none
	branch bool   // use the actions as a branch has them, with their Dockerfile
	runner string // the image that jobs run in; empty for this machine, where act starts no services
	path   string // a folder of programs that come before this machine's
	mounts []string
	flags  []string // more of act's
}

func newSite(t *testing.T, environment, scenario string) *site {
	t.Helper()
	k, err := tools()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := sandbox.ParseScenario([]byte("environment: " + environment + "\n" + scenario))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, kit: k, host: listener.Addr().String(), caller: filepath.Join(t.TempDir(), "connect2-api")}
	s.sb = sandbox.New(sandbox.Options{Scenario: parsed, Host: s.host, Speed: cmp.Or(parsed.Speed, 50)})
	server := &http.Server{Handler: s.sb, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })

	role := "arn:aws:iam::123456789012:role/connect2-api-" + environment + "-deploy"
	upper := strings.ToUpper(environment)
	s.vars = map[string]string{
		"AWS_REGION": "us-west-2", "AWS_PUSH_ROLE_" + upper: role, "ECR_REPOSITORY_" + upper: "connect2-api-" + environment,
		"AWS_DEPLOY_ROLE": role, "ECS_CLUSTER": "connect2-api-cluster-" + environment, "ECS_SERVICE": "connect2-api-service-" + environment,
		"ECS_CONTAINER": "connect2-api", "SERVICE_URL": "https://api.example.com",
	}

	// The example as a repository of its own, with a commit on each branch.
	if err := command(root, "sh", "-c", `mkdir "$0" && cd examples/api && git ls-files -z | xargs -0 tar c | tar x -C "$0"`, s.caller); err != nil {
		t.Fatal(err)
	}
	s.git("init", "-q", "-b", "main")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "The API")
	s.git("remote", "add", "origin", "https://github.com/org/connect2-api.git")
	for _, branch := range []string{"development", "staging", "feature"} {
		s.git("checkout", "-q", "-b", branch, "main")
		s.git("commit", "-q", "--allow-empty", "-m", "Onto "+branch)
	}
	return s
}

// newToolkit is this repository, as a throw-away clone with a bare origin that checkouts come from and pushes go to.
func newToolkit(t *testing.T) *site {
	t.Helper()
	k, err := tools()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &site{t: t, kit: k, caller: filepath.Join(dir, "connect2"), origin: filepath.Join(dir, "origin.git")}
	if err := command(dir, "cp", "-r", k.repository, s.caller); err != nil {
		t.Fatal(err)
	}
	s.git("init", "-q", "-b", "main")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "The toolkit")
	s.git("remote", "add", "origin", "https://github.com/org/connect2.git")
	s.git("init", "-q", "--bare", s.origin)
	s.publish()
	return s
}

// publish pushes the clone's branches and tags to its origin, as a developer would.
func (s *site) publish() {
	s.t.Helper()
	s.git("push", "-q", "--mirror", "--force", s.origin)
}

func (s *site) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)...)
	cmd.Dir = s.caller
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// result is what a run of act told.
type result struct {
	failed  bool
	outputs map[string]string // "STEP ID.NAME", of the last step with that id
	steps   map[string]string // result of each step by its name
	summary string
	log     string
}

// act runs a workflow on a branch. inputs are NAME=VALUE.
func (s *site) act(event, branch, workflow string, inputs ...string) result {
	s.t.Helper()
	return s.actJob("", event, branch, workflow, inputs...)
}

// actJob runs one job of a workflow, with what it needs; all of them where job is empty.
func (s *site) actJob(job, event, branch, workflow string, inputs ...string) result {
	s.t.Helper()
	s.git("checkout", "-q", branch)
	payload := filepath.Join(s.t.TempDir(), "event.json")
	given := map[string]string{} // in the event: with one, act looks at no --input
	for _, in := range inputs {
		name, value, _ := strings.Cut(in, "=")
		given[name] = value
	}
	content, err := json.Marshal(map[string]any{
		"ref": "refs/heads/" + branch, "before": s.base, "after": s.git("rev-parse", "HEAD"), "inputs": given,
		"number": 7, "pull_request": map[string]any{
			"number": 7, "base": map[string]any{"sha": s.base, "ref": "main"},
			"head": map[string]any{"ref": branch, "sha": s.git("rev-parse", "HEAD"), "repo": map[string]any{"full_name": "org/connect2-api"}},
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(payload, content, 0o644); err != nil {
		s.t.Fatal(err)
	}
	image := filepath.Join(s.t.TempDir(), "image.tar")
	if err := imagetest.TarFile(image, imagetest.Saved(imagetest.New(7, 200_000, 20_000))); err != nil {
		s.t.Fatal(err)
	}
	flags := []string{event, "--json", "--rm", "--eventpath", payload, "-W", workflow,
		"-P", "ubuntu-latest=" + cmp.Or(s.runner, "-self-hosted"), "--pull=false", "--action-offline-mode", "--action-cache-path", s.kit.cache,
		// Without this mount the steps pass while every output and summary is lost.
		"--container-options", "-v " + strings.Join(append([]string{s.kit.cache + ":" + s.kit.cache}, s.mounts...), " -v ") + " --network host",
	}
	flags = append(flags, s.flags...)
	if s.hub != nil {
		flags = append(flags, "--env", "GITHUB_API_URL="+s.hub.URL, "--secret", "GITHUB_TOKEN=stand-in")
	}
	if job != "" {
		flags = append(flags, "--job", job)
	}
	if s.sb != nil {
		flags = append(flags, "--env", "AWS_ENDPOINT_URL=http://"+s.host,
			"--env", "CALLER="+s.caller, "--env", "IMAGE="+image)
		for name, value := range s.sb.GitHubEnviron() {
			flags = append(flags, "--env", name+"="+value)
		}
	}
	for name, value := range s.vars {
		flags = append(flags, "--var", name+"="+value)
	}
	own := s.kit.released
	if s.branch {
		own = s.kit.repository
	}
	for _, local := range append([]string{"org/connect2@v2=" + own, "org/connect2@main=" + own}, s.kit.local...) {
		flags = append(flags, "--local-repository", local)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 25*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.kit.act, flags...)
	cmd.Dir = s.caller
	// Nothing else: act hands its own environment to the steps, and this machine's credentials are none of theirs.
	cmd.Env = []string{"PATH=" + strings.TrimPrefix(s.path+":"+os.Getenv("PATH"), ":"), "HOME=" + s.kit.home,
		"DOCKER_HOST=" + os.Getenv("DOCKER_HOST")}
	out, err := cmd.CombinedOutput()
	r := read(out)
	r.failed = err != nil
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("act %s on %s: %v\n%s", event, branch, err, r.log)
		}
	})
	return r
}

// read takes act's lines apart (nektos/act pkg/runner/command.go and step.go write these fields).
func read(out []byte) result {
	r := result{outputs: map[string]string{}, steps: map[string]string{}}
	scanner := bufio.NewScanner(bytes.NewReader(out))
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		var line struct {
			Msg, Command, Name, Arg, Step, Stage, StepResult, Content string
			StepID                                                    []string
		}
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			r.log += scanner.Text() + "\n"
			continue
		}
		r.log += strings.TrimRight(line.Msg, "\n") + "\n"
		switch {
		case line.Command == "set-output" && len(line.StepID) > 0:
			r.outputs[line.StepID[len(line.StepID)-1]+"."+line.Name] = line.Arg
		case line.Command == "summary":
			r.summary += line.Content
		case line.StepResult != "" && line.Stage == "Main":
			r.steps[line.Step] = line.StepResult
		}
	}
	return r
}

// expect compares outputs.
func (r result) expect(t *testing.T, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got, ok := r.outputs[name]; !ok || got != value {
			t.Errorf("output %s is %q (set: %v), want %q", name, got, ok, value)
		}
	}
}

func (s *site) config() aws.Config {
	return aws.Config{Region: "us-west-2", BaseEndpoint: aws.String("http://" + s.host), HTTPClient: &http.Client{Transport: s.sb.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, sandbox.SecretAccessKey, "")}
}

// service returns the service and the image that its task definition runs.
func (s *site) service() (ecstypes.Service, string) {
	s.t.Helper()
	client := ecs.NewFromConfig(s.config())
	found, err := client.DescribeServices(s.t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(s.vars["ECS_CLUSTER"]),
		Services: []string{s.vars["ECS_SERVICE"]}})
	if err != nil || len(found.Services) != 1 {
		s.t.Fatalf("%+v, %v", found, err)
	}
	definition, err := client.DescribeTaskDefinition(s.t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: found.Services[0].TaskDefinition})
	if err != nil {
		s.t.Fatal(err)
	}
	return found.Services[0], aws.ToString(definition.TaskDefinition.ContainerDefinitions[0].Image)
}

// notes returns the tags of the service, which is where actions keep what outlives a run.
func (s *site) notes() map[string]string {
	s.t.Helper()
	running, _ := s.service()
	found, err := ecs.NewFromConfig(s.config()).ListTagsForResource(s.t.Context(),
		&ecs.ListTagsForResourceInput{ResourceArn: running.ServiceArn})
	if err != nil {
		s.t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range found.Tags {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return tags
}

// tagged returns the digest behind a tag, empty where there is none.
func (s *site) tagged(repository, tag string) string {
	s.t.Helper()
	found, err := ecr.NewFromConfig(s.config()).BatchGetImage(s.t.Context(), &ecr.BatchGetImageInput{
		RepositoryName: aws.String(repository), ImageIds: []ecrImage{{ImageTag: aws.String(tag)}}})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(found.Images) == 0 {
		return ""
	}
	return aws.ToString(found.Images[0].ImageId.ImageDigest)
}

// did counts the calls of a name that were made and answered.
func (s *site) did(name string) (n int) {
	for _, e := range s.sb.Journal() {
		if e.Name() == name && e.OK() {
			n++
		}
	}
	return n
}

// calls tells every call of a name: of two where one was expected, when each came, from whom, and how it was answered.
func (s *site) calls(name string) string {
	var told strings.Builder
	for _, e := range s.sb.Journal() {
		if e.Name() == name {
			fmt.Fprintf(&told, "\n%s by %s: %d %s %s", e.Time.Format(time.StampMilli), e.Caller, e.Status, e.Code, e.Fault)
		}
	}
	return told.String()
}

// write writes a file of the caller and commits it on development.
func (s *site) write(path, text string) {
	s.t.Helper()
	s.change("development", path, text)
}

// change writes a file of the caller and commits it on a branch.
func (s *site) change(branch, path, text string) {
	s.t.Helper()
	s.git("checkout", "-q", branch)
	if err := os.WriteFile(filepath.Join(s.caller, path), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.git("add", path)
	s.git("commit", "-q", "-m", "Add "+path)
}

func command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}
