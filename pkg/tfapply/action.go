// Package tfapply plans and applies Terraform configurations: it reviews a plan by what can go wrong, applies exactly what
// was reviewed, guards what holds data, and never loses state to a cancelled run.
package tfapply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/terraform"
)

// Action is tf-apply, as a GitHub action and as a command.
var Action = action.Define(action.Meta{
	Name:        "tf-apply",
	Description: "Plan and apply Terraform: risks first, exactly the reviewed plan, and state that a cancel cannot lose.",
	Doc: "A plan is shown by what can go wrong: data loss, replacement, downtime, security openings, and what it does to running services. " +
		"An apply plans afresh and goes on only if that plan is the reviewed one. What holds data is not destroyed unless it is named. " +
		"An apply that has begun is finished even if the run is cancelled.",
	Icon:  "layers",
	Color: "purple",
	Examples: []action.Example{
		{Title: "See what would change", Args: "--directory terraform/environments/dev --environment dev"},
		{Title: "Apply what was reviewed",
			Args: "--mode apply --directory terraform/environments/dev --environment dev --plan-digest sha256:..."},
		{Title: "Look for drift", Args: "--mode drift --directory terraform/environments/prod --environment prod"},
	},
}, Run)

// Mode is what is to be done.
type Mode string

// The modes.
const (
	Plan    Mode = "plan"
	Apply   Mode = "apply"
	Drift   Mode = "drift"
	Destroy Mode = "destroy"
	Unlock  Mode = "unlock"
	// Fmt, Validate and Changed look at the configuration alone: no state, no credentials.
	Fmt      Mode = "fmt"
	Validate Mode = "validate"
	Changed  Mode = "changed"
	// Bootstrap makes what must be there before the first run.
	Bootstrap Mode = "bootstrap"
)

// Inputs are what tf-apply can be told.
type Inputs struct {
	awsconn.Inputs      `group:"AWS"`
	Mode                Mode              `input:"mode" default:"plan" enum:"plan,apply,drift,destroy,unlock,fmt,validate,changed,bootstrap" doc:"plan shows what would change, without a lock and without writing state. apply does it. drift says whether what runs differs from the configuration. destroy takes everything down. unlock releases the lock of a run that has ended. fmt finds files that are not formatted, validate finds what is wrong without state or credentials; both mark the lines. changed lists the root modules below directory that changed since changed-since. bootstrap makes the bucket of the state, and the first role; it is run from a terminal."`
	Directory           string            `input:"directory" default:"." alias:"working-directory" path:"read" doc:"The folder of the root module."`
	Environment         string            `input:"environment" doc:"Name of the environment. ENVIRONMENT.tfvars in the directory is used if it exists."`
	VarFiles            []string          `input:"var-files" alias:"var-file" path:"read" doc:"More variable files, relative to the directory; later ones win."`
	Variables           map[string]string `input:"variables" doc:"Variables, NAME=value lines; a value that is a JSON list or object is one. They reach Terraform through a private file, never a command line, and win over all files. TF_VAR_ variables of the environment work as well."`
	BackendConfig       []string          `input:"backend-config" path:"read" doc:"Backend settings, KEY=VALUE or a file, one per line. Secrets belong in the environment."`
	Workspace           string            `input:"workspace" doc:"Terraform workspace. Empty: TF_WORKSPACE. apply creates a missing one."`
	Label               string            `input:"label" doc:"Distinguishes two plans of the same directory, environment and workspace: it appears in titles, and each gets its own comment."`
	RefreshOnly         bool              `input:"refresh-only" doc:"Only bring the state up to date with what runs: plan shows it, apply writes it."`
	ChangedSince        string            `input:"changed-since" doc:"For changed: a commit or branch. A root module counts as changed if its own files, or those of local modules that it uses, have changed."`
	TextFile            string            `input:"text-file" path:"write" doc:"Also write the plan as text to this file, secrets hidden."`
	JSONFile            string            `input:"json-file" path:"write" doc:"Also write the plan as Terraform's JSON to this file, for policy checks; sensitive values are replaced."`
	Targets             []string          `input:"targets" doc:"Plan only these addresses. Terraform intends this for emergencies."`
	Replace             []string          `input:"replace" doc:"Addresses to replace."`
	TerraformVersion    string            `input:"terraform-version" doc:"Version or constraint. Empty: .terraform-version (.opentofu-version), required_version, else the newest one installed. A missing Terraform is installed and its signature verified."`
	Engine              terraform.Engine  `input:"engine" default:"terraform" enum:"terraform,tofu" doc:"Terraform, or OpenTofu if an earlier step installed it."`
	Parallelism         int               `input:"parallelism" default:"10" min:"1" max:"256" doc:"How many resources Terraform works on at a time."`
	LockTimeout         time.Duration     `input:"lock-timeout" default:"2m" min:"0s" max:"6h" doc:"How long to wait if somebody else holds the state lock."`
	Lockfile            string            `input:"lockfile" default:"readonly" enum:"readonly,update" doc:"Whether init may change .terraform.lock.hcl. A missing one is created either way."`
	PlanFile            string            `input:"plan-file" path:"write" doc:"The sealed plan file: plan writes it, apply compares with it. Needs plan-key."`
	PlanKey             string            `input:"plan-key" secret:"true" doc:"What seals the plan file: a KMS key (ARN or alias/NAME), or a passphrase of at least 16 characters."`
	PlanDigest          string            `input:"plan-digest" doc:"The output plan-digest of the plan that was reviewed."`
	Approve             string            `input:"approve" default:"reviewed" enum:"reviewed,auto" doc:"reviewed applies only the plan of plan-digest, plan-file or the merged pull request's comment. auto applies whatever the plan says, within the guards."`
	Protect             []string          `input:"protect" default:"stateful" doc:"Resource types and addresses that must not be destroyed or replaced; a trailing * matches the rest. stateful stands for everything that holds data: databases, buckets, keys, logs and the like."`
	AllowDestroy        []string          `input:"allow-destroy" doc:"Exact addresses that may be destroyed even though they are protected, one per line."`
	Confirm             string            `input:"confirm" doc:"For destroy: the name of the environment (or of the directory, if there is none), typed out."`
	Expose              []string          `input:"expose" doc:"Sensitive Terraform outputs to set anyway. They are masked; values below 8 characters are refused."`
	Comment             string            `input:"comment" default:"auto" enum:"auto,off" doc:"auto keeps one comment on the pull request, and one issue about drift, if there is a token."`
	Token               string            `input:"token" secret:"true" doc:"GitHub token for the comment (pull-requests: write), for the issue about drift (issues: write), for finding the reviewed plan of a merged pull request (pull-requests: read), and for unlock (actions: read)."`
	GitToken            string            `input:"git-token" secret:"true" doc:"Token for private modules that are fetched with git from this GitHub."`
	SSHKey              string            `input:"ssh-key" secret:"true" doc:"Private key for modules that are fetched with git over SSH."`
	StateBucket         string            `input:"state-bucket" doc:"For bootstrap: the bucket. Empty: that of the backend in directory, or in environments/ENVIRONMENT or terraform/environments/ENVIRONMENT below it; connect2-api-terraform-state-ENVIRONMENT if none names one."`
	BootstrapRole       string            `input:"bootstrap-role" doc:"For bootstrap: a role to create for the environment's jobs, together with the account's OIDC provider for GitHub. Empty: none."`
	BootstrapPolicy     string            `input:"bootstrap-policy" doc:"For bootstrap: ARN of the policy that bootstrap-role gets."`
	BootstrapRepository string            `input:"bootstrap-repository" doc:"For bootstrap: OWNER/NAME of the repository whose jobs may assume bootstrap-role."`
	BootstrapIssuer     string            `input:"bootstrap-issuer" doc:"For bootstrap: who signs the tokens of these jobs, as terraform/modules/github-oidc takes it: https://token.actions.githubusercontent.com for github.com, https://token.actions.SUBDOMAIN.ghe.com for GHE.com, https://HOSTNAME/_services/token for GitHub Enterprise Server. Empty: by the host of GITHUB_SERVER_URL, or GH_HOST; github.com without either."`
	RegistryTokens      map[string]string `input:"registry-tokens" secret:"true" doc:"Tokens of private module and provider registries, HOST=token lines."`
}

// Validate returns what is wrong with the inputs by themselves.
func (in Inputs) Validate() []error {
	problems := in.Inputs.Validate()
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if in.PlanFile != "" && in.PlanKey == "" {
		wrong("plan-file: needs plan-key: a plan holds secrets and is only written sealed")
	}
	if in.RefreshOnly && in.Mode != Plan && in.Mode != Apply {
		wrong("refresh-only: it goes with the modes plan and apply, and mode is %s", in.Mode)
	}
	if in.RefreshOnly && len(in.Replace) > 0 {
		wrong("replace: a plan that only refreshes replaces nothing")
	}
	if strings.ContainsFunc(in.Label, unicode.IsControl) || utf8.RuneCountInString(in.Label) > 60 {
		wrong("label: it is one line of at most 60 characters")
	}
	if (in.Mode == Changed) != (in.ChangedSince != "") {
		wrong("changed-since: it belongs to mode changed, which needs it")
	}
	if strings.HasPrefix(in.ChangedSince, "-") {
		wrong("changed-since: %q is not a commit or a branch", in.ChangedSince)
	}
	if in.PlanKey != "" && !isKMSKey(in.PlanKey) && len(in.PlanKey) < 16 {
		wrong("plan-key: a passphrase has at least 16 characters, and this one has %d", len(in.PlanKey))
	}
	if in.PlanDigest != "" {
		if _, err := terraform.ParseDigest(in.PlanDigest); err != nil {
			wrong("plan-digest: %w", err)
		}
	}
	if in.Mode == Bootstrap {
		problems = append(problems, in.validateBootstrap()...)
	}
	if want := in.confirmation(); in.Mode == Destroy && in.Confirm != want {
		wrong("confirm: %q: destroy takes everything down: type %q to confirm", in.Confirm, want)
	}
	for name := range in.Variables {
		if strings.TrimSpace(name) == "" || strings.ContainsAny(name, " \t=\"") {
			wrong("variables: %q is not the name of a variable", name)
		}
	}
	for host := range in.RegistryTokens {
		if !strings.Contains(host, ".") {
			wrong("registry-tokens: %q is not a host name", host)
		}
	}
	if in.Environment != "" && strings.ContainsAny(in.Environment, "/\\ ") {
		wrong("environment: %q is not the name of an environment", in.Environment)
	}
	return problems
}

func (in Inputs) validateBootstrap() []error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if in.Environment == "" {
		wrong("environment: bootstrap needs it: it names the bucket and who may assume the role")
	}
	if in.BootstrapRole == "" {
		return problems
	}
	if !strings.HasPrefix(in.BootstrapPolicy, "arn:") {
		wrong("bootstrap-policy: %q: bootstrap-role needs the ARN of a policy", in.BootstrapPolicy)
	}
	if owner, name, ok := strings.Cut(in.BootstrapRepository, "/"); !ok || owner == "" || name == "" ||
		strings.ContainsAny(in.BootstrapRepository, "*? :") {
		wrong("bootstrap-repository: %q: bootstrap-role needs OWNER/NAME of one repository", in.BootstrapRepository)
	}
	if in.BootstrapIssuer != "" && !issuers.MatchString(in.BootstrapIssuer) {
		wrong("bootstrap-issuer: %q: must be https://token.actions.githubusercontent.com (with /ENTERPRISE, or without), "+
			"https://token.actions.SUBDOMAIN.ghe.com, or https://HOSTNAME/_services/token, without a slash at the end: "+
			"it is the iss of the tokens, letter by letter", in.BootstrapIssuer)
	}
	return problems
}

// stateBucket is the bucket of the environment's state: the one that was given, or that the configuration's backend names, which it
// is in a copy with names of its own. from says which.
func (in Inputs) stateBucket() (bucket, from string, err error) {
	if in.StateBucket != "" {
		return in.StateBucket, "state-bucket", nil
	}
	below := filepath.Join("environments", in.Environment)
	for _, folder := range []string{"", below, filepath.Join("terraform", below)} {
		folder = filepath.Join(in.Directory, folder)
		if bucket, err = terraform.BucketOf(folder); bucket != "" || err != nil {
			return bucket, "the backend in " + folder, err
		}
	}
	return "connect2-api-terraform-state-" + in.Environment, "the default: no backend names one", nil
}

var _ action.Validator = Inputs{}

// confirmation is what destroy wants typed.
func (in Inputs) confirmation() string {
	if in.Environment != "" {
		return in.Environment
	}
	if dir, err := filepath.Abs(in.Directory); err == nil {
		return filepath.Base(dir)
	}
	return in.Directory
}

// Outputs are what is known at the end, also of a run that failed.
type Outputs struct {
	action.Outputs
	Changes    bool            `output:"changes" doc:"Whether the plan changes anything."`
	Add        int             `output:"add" doc:"Resources to add, replacements included."`
	Change     int             `output:"change" doc:"Resources to change in place."`
	Destroy    int             `output:"destroy" doc:"Resources to destroy, replacements included."`
	Replace    int             `output:"replace" doc:"Resources to replace."`
	Move       int             `output:"move" doc:"Resources of which only the address changes."`
	Import     int             `output:"import" doc:"Resources to import."`
	Forget     int             `output:"forget" doc:"Resources that leave the state and continue to exist."`
	TextFile   string          `output:"text-file" doc:"The plan as text, if it was asked for."`
	JSONFile   string          `output:"json-file" doc:"The plan as JSON, if it was asked for."`
	Matrix     json.RawMessage `output:"matrix" doc:"The changed root modules as a JSON list of paths, for a matrix (mode changed)."`
	PlanFile   string          `output:"plan-file" doc:"The sealed plan, if one was written."`
	PlanDigest string          `output:"plan-digest" doc:"Identifies the plan: hand it to the job that applies."`
	Drift      bool            `output:"drift" doc:"Whether what runs differs from the configuration (mode drift)."`
	Values     json.RawMessage `output:"outputs" doc:"The Terraform outputs that are not sensitive, as one JSON object. Each is an output of its own name as well, unless that is one of these."`
}

// Run does what the mode says.
func Run(ctx context.Context, env *action.Env, in Inputs) (out Outputs, err error) {
	if in.Mode == Bootstrap {
		err = bootstrap(ctx, env, in, &out)
		return out, err
	}
	if in.Mode == Changed {
		err = changed(ctx, env, in, &out)
		return out, err
	}
	s, err := open(ctx, env, in)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	switch in.Mode {
	case Fmt:
		err = s.format(ctx, &out)
		return out, err
	case Validate:
		err = s.validate(ctx)
		return out, err
	}
	if err := s.initialise(ctx); err != nil {
		return out, err
	}
	switch in.Mode {
	case Plan:
		err = s.plan(ctx, &out)
	case Unlock:
		err = s.unlock(ctx, &out)
	case Drift:
		err = s.drift(ctx, &out)
	default:
		err = s.apply(ctx, &out)
	}
	return out, err
}
