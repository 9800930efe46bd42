//go:build act

package workflowtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
)

// terraformActionImage is the image of Dockerfile.terraform.
const terraformActionImage = "connect2-tf-apply:workflowtest"

// withTerraform makes the image of tf-apply and has the released actions use it. Where HashiCorp's image cannot be had, one
// that holds this machine's Terraform and nothing else stands in for it.
var withTerraform = sync.OnceValue(func() error {
	k, err := tools()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile.terraform"))
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(text), "\nARG TERRAFORM=")
	base, _, _ := strings.Cut(rest, "\n")
	base, _, _ = strings.Cut(base, "@") // what stands in for it has another digest
	if err := command(k.repository, "sh", "-c", `docker image inspect "$0" >/dev/null 2>&1 || docker pull --quiet "$0" >/dev/null 2>&1 ||
		{ dir=$(mktemp -d) && mkdir "$dir/bin" && cp "$(command -v terraform)" "$dir/bin" && tar -C "$dir" -c . | docker import - "$0"; rm -rf "$dir"; }`, base); err != nil {
		return err
	}
	if err := command(k.repository, "docker", "build", "--quiet", "--file", "Dockerfile.terraform", "--build-arg", "TERRAFORM="+base,
		"--tag", terraformActionImage, "."); err != nil {
		return err
	}
	return command(k.released, "sed", "-i", "s|^  image: .*Dockerfile.terraform$|  image: docker://"+terraformActionImage+"|",
		"actions/tf-apply/action.yml")
})

// hub stands in for the comments and issues of GitHub's API.
type hub struct {
	*httptest.Server
	mu    sync.Mutex
	notes []string // "METHOD PATH BODY" of what was written
}

func newHub(t *testing.T) *hub {
	h := &hub{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			io.WriteString(w, "[]")
			return
		}
		var in struct{ Title, Body string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.notes = append(h.notes, r.Method+" "+r.URL.Path+" "+in.Title+"\n"+in.Body)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id": %d, "number": %d}`, len(h.notes), len(h.notes))
	}))
	t.Cleanup(h.Close)
	return h
}

// wrote counts what was written that holds all of these words.
func (h *hub) wrote(words ...string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, note := range h.notes {
		all := true
		for _, word := range words {
			all = all && strings.Contains(note, word)
		}
		if all {
			n++
		}
	}
	return n
}

// configure writes a small configuration of each environment, with its state in the sandbox, onto a branch.
func (s *site) configure(branch string) {
	s.t.Helper()
	s.git("checkout", "-q", branch)
	for _, environment := range []string{"dev", "staging", "prod"} {
		if err := s.sb.S3().CreateBucket("state-" + environment); err != nil {
			s.t.Fatal(err)
		}
		dir := filepath.Join(s.caller, "terraform/environments", environment)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			s.t.Fatal(err)
		}
		text := `terraform {
  backend "s3" {
    bucket         = "state-` + environment + `"
    key            = "terraform.tfstate"
    region         = "us-west-2"
    use_lockfile   = true
    use_path_style = true
  }
}
variable "size" { type = number }
resource "terraform_data" "service" { input = "size ${var.size}" }
output "released" { value = true }
`
		for name, text := range map[string]string{"main.tf": text, environment + ".tfvars": "size = 1\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "Configure the environments")
}

func (s *site) state(environment string) string {
	text, _ := s.sb.S3().Object("state-"+environment, "terraform.tfstate")
	return string(text)
}

// infrastructure writes infrastructure.yml with the triggers of terraform.yml, which calls it: act shows the steps' outputs of a
// workflow that it was told to run, and starts single jobs of it alone.
func (k *kit) infrastructure(t *testing.T) string {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(k.repository, ".github/workflows", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, caller, _ := strings.Cut(read("terraform.yml"), "\non:\n")
	triggers, _, ok := strings.Cut(caller, "\npermissions:")
	before, after, found := strings.Cut(read("infrastructure.yml"), "\non:\n")
	if !ok || !found {
		t.Fatal("the workflows have another form than this test knows")
	}
	path := filepath.Join(k.repository, ".github/workflows/triggered.yml")
	if err := os.WriteFile(path, []byte(before+"\non:\n"+triggers+after), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A pull request is planned and told; the branch applies exactly that plan and rolls the template out; the night finds drift.
func TestInfrastructure(t *testing.T) {
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not installed")
	}
	s := newSite(t, "staging", "")
	if err := withTerraform(); err != nil {
		t.Fatal(err)
	}
	s.hub = newHub(t)
	s.vars["AWS_PLAN_ROLE"], s.vars["AWS_APPLY_ROLE"] = s.vars["AWS_DEPLOY_ROLE"], s.vars["AWS_DEPLOY_ROLE"]
	path := s.kit.infrastructure(t)
	s.configure("staging")
	s.git("checkout", "-q", "-B", "feature", "staging")
	s.base = s.git("rev-parse", "staging")

	s.change("feature", "terraform/environments/staging/staging.tfvars", "size = 2\n")
	r := s.act("pull_request", "feature", path)
	if r.failed || s.hub.wrote("POST", "/issues/7/comments", "Plan of staging", "size 2") != 1 || s.hub.wrote("POST") != 1 ||
		!strings.Contains(r.summary, "Plan of staging") {
		t.Errorf("a pull request: failed %v, wrote %q, summary:\n%s", r.failed, s.hub.notes, r.summary)
	}
	if s.state("staging") != "" || s.did("ecs:UpdateService") != 0 {
		t.Error("a pull request changed something")
	}

	// What Terraform would do to the service's template in an account is done beforehand here.
	_, image := s.service()
	s.growTemplate()
	s.git("checkout", "-q", "staging")
	s.git("merge", "-q", "--ff-only", "feature")
	r = s.act("push", "staging", path)
	r.expect(t, map[string]string{"plan.changes": "true", "plan.add": "1", "apply.outcome": "succeeded",
		"apply.plan-digest": r.outputs["plan.plan-digest"], "apply.released": "true"})
	if r.failed || r.outputs["plan.plan-digest"] == "" || !strings.Contains(s.state("staging"), "size 2") ||
		s.state("dev")+s.state("prod") != "" {
		t.Errorf("a push: failed %v, digest %q, state of staging:\n%s", r.failed, r.outputs["plan.plan-digest"], s.state("staging"))
	}
	if _, locked := s.sb.S3().Object("state-staging", "terraform.tfstate.tflock"); locked {
		t.Error("the state is locked still")
	}
	running, after := s.service()
	found, err := ecs.NewFromConfig(s.config()).DescribeTaskDefinition(t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: running.TaskDefinition})
	if err != nil {
		t.Fatal(err)
	}
	if s.did("ecs:UpdateService") != 1 || after != image || aws.ToString(found.TaskDefinition.Memory) != grown {
		t.Errorf("%d deployments; it runs %s with %s MiB, want the image %s and %s MiB", s.did("ecs:UpdateService"), after,
			aws.ToString(found.TaskDefinition.Memory), image, grown)
	}
	s.ownedAs(0) // nothing that a container left needs root to be removed

	// The night: what is applied does not differ, and what never was does.
	s.git("branch", "-f", "development", "staging")
	s.git("branch", "-f", "main", "staging")
	r = s.act("schedule", "main", path)
	if drifted := s.hub.wrote("POST", "/issues ", "staging"); s.hub.wrote("POST", "/issues ") != 2 || drifted != 0 {
		t.Errorf("the night: failed %v, it wrote %q", r.failed, s.hub.notes)
	}
	if s.state("dev")+s.state("prod") != "" {
		t.Error("looking for drift changed something")
	}
}

// grown is the memory that growTemplate gives the template.
const grown = "3072"

// growTemplate registers the service's template with more memory.
func (s *site) growTemplate() {
	s.t.Helper()
	client := ecs.NewFromConfig(s.config())
	running, _ := s.service()
	family := arn.Family(aws.ToString(running.TaskDefinition)) + "-template"
	found, err := client.DescribeTaskDefinition(s.t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(family)})
	if err != nil {
		s.t.Fatal(err)
	}
	d := found.TaskDefinition
	_, err = client.RegisterTaskDefinition(s.t.Context(),
		&ecs.RegisterTaskDefinitionInput{Family: d.Family, ContainerDefinitions: d.ContainerDefinitions,
			Cpu: aws.String("1024"), Memory: aws.String(grown), NetworkMode: d.NetworkMode, ExecutionRoleArn: d.ExecutionRoleArn,
			TaskRoleArn:             d.TaskRoleArn,
			RequiresCompatibilities: []ecstypes.Compatibility{ecstypes.CompatibilityFargate}, Volumes: d.Volumes,
			RuntimePlatform: d.RuntimePlatform})
	if err != nil {
		s.t.Fatal(err)
	}
	s.sb.ResetJournal()
}

// ownedAs fails where the workspace has a file of somebody else.
func (s *site) ownedAs(uid uint32) {
	s.t.Helper()
	strangers(s.t, s.caller, uid)
}

func strangers(t *testing.T, folder string, uid uint32) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != uid {
			t.Errorf("%s belongs to %d, want %d", path, owner, uid)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Whatever tf-apply leaves in the workspace belongs to the workspace's owner, and not to the container's root.
func TestWorkspaceKeepsItsOwner(t *testing.T) {
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not installed")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make a folder of somebody else")
	}
	if _, err := tools(); err != nil {
		t.Fatal(err)
	}
	if err := withTerraform(); err != nil {
		t.Fatal(err)
	}
	const runner = 1001
	workspace, files := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(workspace, "main.tf"): "resource \"terraform_data\" \"a\" { input = \"a\" }\n",
		filepath.Join(files, "output"):      "", filepath.Join(files, "summary"): "",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := command(workspace, "chown", "-R", fmt.Sprint(runner, ":", runner), "."); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"plan", "apply"} {
		err := command(workspace, "docker", "run", "--rm", "--user", "root", "--workdir", "/github/workspace",
			"-v", workspace+":/github/workspace", "-v", files+":/github/file_commands",
			"-e", "GITHUB_ACTIONS=true", "-e", "GITHUB_WORKSPACE=/github/workspace", "-e", "GITHUB_OUTPUT=/github/file_commands/output",
			"-e", "GITHUB_STEP_SUMMARY=/github/file_commands/summary",
			"-e", "INPUT_MODE="+mode, "-e", "INPUT_APPROVE=auto", "-e", "INPUT_COMMENT=off",
			"-e", "INPUT_PLAN-FILE=plan.sealed", "-e", "INPUT_PLAN-KEY=a passphrase of the test", terraformActionImage)
		if err != nil {
			t.Fatal(err)
		}
		strangers(t, workspace, runner)
	}
	for _, name := range []string{"terraform.tfstate", "plan.sealed"} {
		if _, err := os.Stat(filepath.Join(workspace, name)); err != nil {
			t.Errorf("%v: there is nothing whose owner was looked at", err)
		}
	}
}
