package tfapply

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/internal/ownership"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/terraform"
)

// versions are those of the executables on this machine, as they told them in this process.
var versions terraform.Versions

// session is one run on one configuration.
type session struct {
	env    *action.Env
	in     Inputs
	conn   *awsconn.Conn // nil where nothing of AWS was asked for
	runner *terraform.Runner

	dir      string              // of the configuration, absolute
	root     string              // of the repository, absolute
	work     string              // private, outside the workspace
	data     string              // TF_DATA_DIR
	args     terraform.Arguments // of TF_CLI_ARGS variables
	varFiles []string
	had      bool // a lock file was there before init
	binding  terraform.Binding
	closers  []func() error
}

// open checks everything that can be checked without running Terraform, and reports all problems at once.
func open(ctx context.Context, env *action.Env, in Inputs) (*session, error) {
	s := &session{env: env, in: in}
	if problems := append(s.takeEnvironment(), s.locate()...); len(problems) > 0 {
		return nil, &action.Error{Outcome: action.Invalid, Title: "Terraform was not started: nothing was changed", Err: errors.Join(problems...)}
	}
	if in.RoleToAssume != "" || in.AccountID != "" || in.Region != "" || isKMSKey(in.PlanKey) {
		conn, err := awsconn.Connect(ctx, env, in.Inputs)
		if err != nil {
			return nil, err
		}
		s.conn = conn
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// takeEnvironment takes what Terraform's own variables of the environment ask for. Inputs go before them.
func (s *session) takeEnvironment() []error {
	args, problems := terraform.ReadArguments(s.env.Inherited())
	s.args = args
	if name := s.env.Var("TF_WORKSPACE"); name != "" && s.in.Workspace == "" {
		s.env.Events.Notef("workspace %s, as TF_WORKSPACE says", name)
		s.in.Workspace = name
	} else if name != "" && name != s.in.Workspace {
		s.env.Events.Warnf("TF_WORKSPACE is not used", "the input workspace says %q, and TF_WORKSPACE says %q", s.in.Workspace, name)
	}
	s.in.Targets, s.in.Replace = append(s.in.Targets, args.Targets...), append(s.in.Replace, args.Replace...)
	if args.Parallelism > 0 && s.in.Parallelism == defaultParallelism {
		s.in.Parallelism = args.Parallelism
	}
	if args.LockTimeout > 0 && s.in.LockTimeout == defaultLockTimeout {
		s.in.LockTimeout = args.LockTimeout
	}
	return problems
}

// The defaults of inputs for which TF_CLI_ARGS variables may stand in.
const (
	defaultParallelism = 10
	defaultLockTimeout = 2 * time.Minute
)

// ownVariables finds the environment's file of variables. Where it has none and others do, something is misspelt: Terraform would
// plan with the defaults, which are hardly anybody's.
func (s *session) ownVariables() error {
	if s.in.Environment == "" {
		return nil
	}
	for _, ending := range []string{".tfvars", ".tfvars.json"} {
		conventional := filepath.Join(s.dir, s.in.Environment+ending)
		if _, err := os.Stat(conventional); err == nil {
			s.varFiles = append(s.varFiles, conventional)
			return nil
		}
	}
	if len(s.in.VarFiles)+len(s.args.VarFiles) > 0 {
		return nil
	}
	var others []string
	for _, pattern := range []string{"*.tfvars", "*.tfvars.json"} {
		files, _ := filepath.Glob(filepath.Join(s.dir, pattern)) // the pattern is a good one
		for _, file := range files {
			name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".json"), ".tfvars")
			if name != "terraform" && !strings.HasSuffix(name, ".auto") { // Terraform reads those by itself
				others = append(others, name)
			}
		}
	}
	if len(others) == 0 {
		s.env.Events.Notef("there is no %s.tfvars: the variables are those of TF_VAR_ variables, terraform.tfvars, *.auto.tfvars and the inputs",
			s.in.Environment)
		return nil
	}
	slices.Sort(others)
	text := fmt.Sprintf("environment: there is no %s.tfvars in %s, and there are variables of %s", s.in.Environment, s.place(),
		strings.Join(others, ", "))
	if meant := nearest.One(s.in.Environment, others); meant != "" {
		text += fmt.Sprintf(": did you mean %s?", meant)
	}
	return errors.New(text + "; name the files in var-files if they are none of the environments'")
}

// locate finds the files that the inputs name.
func (s *session) locate() []error {
	var problems []error
	dir, err := filepath.Abs(s.in.Directory)
	if err != nil {
		return []error{fmt.Errorf("directory: %w", err)}
	}
	s.dir, s.root = dir, s.env.GitHub.Workspace
	if s.root == "" || !within(s.root, dir) {
		s.root = repositoryOf(dir)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.tf")); len(files) == 0 {
		if files, _ = filepath.Glob(filepath.Join(dir, "*.t*f*")); len(files) == 0 {
			return []error{fmt.Errorf("directory: %s has no Terraform files: is the repository checked out, and the path relative to its root?",
				dir)}
		}
	}
	given := func(from string, names []string) {
		for _, name := range names {
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			if _, err := os.Stat(name); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", from, err))
			}
			s.varFiles = append(s.varFiles, name)
		}
	}
	given("TF_CLI_ARGS_plan: -var-file", s.args.VarFiles)
	if err := s.ownVariables(); err != nil {
		problems = append(problems, err)
	}
	given("var-files", s.in.VarFiles)
	if s.in.PlanFile != "" && s.in.Mode == Apply {
		if _, err := os.Stat(s.in.PlanFile); err != nil {
			problems = append(problems, fmt.Errorf("plan-file: %w", err))
		}
	}
	return problems
}

func within(root, path string) bool {
	relative, err := filepath.Rel(root, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, "../")
}

// repositoryOf returns the nearest folder above with a .git, or the folder itself.
func repositoryOf(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}

// caches is the folder of what one run leaves for the next: providers and Terraform's versions.
func (s *session) caches() string {
	folder := s.env.Var("XDG_CACHE_HOME")
	if !filepath.IsAbs(folder) {
		var err error
		if folder, err = os.UserCacheDir(); err != nil {
			folder = s.work
		}
	}
	return filepath.Join(folder, "connect2")
}

// prepare makes the private folder and everything in it, and finds Terraform.
func (s *session) prepare(ctx context.Context) (err error) {
	if s.work, err = os.MkdirTemp("", "connect2-tf-apply-"); err != nil {
		return action.Invalidf("a private folder for Terraform: %w", err)
	}
	s.closers = append(s.closers, func() error { return os.RemoveAll(s.work) })
	s.data = filepath.Join(s.work, "data")
	env := map[string]string{"TF_DATA_DIR": s.data}
	caches := s.caches()
	_, err = os.Stat(filepath.Join(s.dir, terraform.LockFile))
	s.had = err == nil
	if s.env.Var("TF_PLUGIN_CACHE_DIR") == "" {
		plugins := filepath.Join(caches, "terraform-plugins")
		if err := os.MkdirAll(plugins, 0o755); err == nil {
			env["TF_PLUGIN_CACHE_DIR"] = plugins
		}
	}
	if !s.had { // Terraform ignores the cache without a lock file, unless told that its hashes may be incomplete
		env["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "true"
	}
	maps.Copy(env, s.gitEnvironment())
	for host, token := range s.in.RegistryTokens {
		s.env.Hide(token)
		env["TF_TOKEN_"+strings.NewReplacer(".", "_", "-", "__").Replace(host)] = token
	}
	if s.in.SSHKey != "" {
		key := filepath.Join(s.work, "ssh-key")
		if err := os.WriteFile(key, []byte(strings.TrimRight(s.in.SSHKey, "\n")+"\n"), 0o600); err != nil {
			return action.Invalidf("ssh-key: %w", err)
		}
		env["GIT_SSH_COMMAND"] = "ssh -i '" + key + "' -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new"
	}
	if s.conn != nil {
		env["AWS_REGION"], env["AWS_DEFAULT_REGION"] = s.conn.Region, s.conn.Region
	}
	if s.in.RoleToAssume != "" {
		credentials, stop, err := serveCredentials(ctx, s.conn)
		if err != nil {
			return action.Invalidf("handing AWS credentials to Terraform: %w", err)
		}
		s.closers = append(s.closers, stop)
		maps.Copy(env, credentials)
	}
	if err := s.writeVariables(); err != nil {
		return action.Invalidf("variables: %w", err)
	}
	found, err := terraform.Finder{
		Engine: s.in.Engine, Version: s.in.TerraformVersion, Dir: s.dir, Root: s.root,
		Path: s.env.Var("PATH"), Cache: filepath.Join(caches, "terraform"), Events: s.env.Events, Told: &versions,
	}.Find(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("looking for Terraform: %w", context.Cause(ctx))
	}
	if err != nil {
		return &action.Error{Outcome: action.Invalid, Title: "There is no " + string(s.in.Engine) + " that will do", Err: err}
	}
	s.binding.Versions = string(s.in.Engine) + " " + found.Version
	s.runner = &terraform.Runner{Path: found.Path, Engine: s.in.Engine, Dir: s.dir, Work: s.work, Environ: s.env.Inherited(), Env: env,
		Events: s.env.Events, Root: s.root}
	return nil
}

// gitEnvironment configures git through the environment alone: the workspace belongs to another user than a container's
// root, and a token on a command line could be read by everybody on the machine.
func (s *session) gitEnvironment() map[string]string {
	settings := [][2]string{{"safe.directory", "*"}}
	if s.in.GitToken != "" {
		server := s.env.GitHub.Server
		if server == "" {
			server = "https://github.com"
		}
		basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + s.in.GitToken))
		s.env.Hide(basic)
		settings = append(settings, [2]string{"http." + server + "/.extraheader", "AUTHORIZATION: basic " + basic})
		if host, err := url.Parse(server); err == nil && s.in.SSHKey == "" { // modules that are written with ssh take the token too
			settings = append(settings, [2]string{"url." + server + "/.insteadOf", "ssh://git@" + host.Host + "/"},
				[2]string{"url." + server + "/.insteadOf", "git@" + host.Host + ":"})
		}
	}
	env := map[string]string{"GIT_CONFIG_COUNT": fmt.Sprint(len(settings)), "GIT_TERMINAL_PROMPT": "0"}
	for i, setting := range settings {
		env[fmt.Sprintf("GIT_CONFIG_KEY_%d", i)], env[fmt.Sprintf("GIT_CONFIG_VALUE_%d", i)] = setting[0], setting[1]
	}
	return env
}

// writeVariables puts the input's variables into a private file that comes last, so that it wins.
func (s *session) writeVariables() error {
	if len(s.in.Variables) == 0 {
		return nil
	}
	values := map[string]any{}
	for name, value := range s.in.Variables {
		values[name] = value
		if text := strings.TrimSpace(value); strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
			var document any
			if json.Unmarshal([]byte(text), &document) == nil {
				values[name] = json.RawMessage(text)
			}
		}
	}
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	file := filepath.Join(s.work, "variables.tfvars.json")
	s.varFiles = append(s.varFiles, file)
	return os.WriteFile(file, text, 0o600)
}

// initialise runs init, chooses the workspace, and notes what the plan depends on.
func (s *session) initialise(ctx context.Context) error {
	end := s.env.Events.Group(s.in.Engine.String() + " init")
	defer end()
	if err := s.restoreLockFile(ctx); err != nil {
		return err
	}
	err := s.runner.Init(ctx, terraform.InitOptions{
		Backend: s.backend(), Readonly: s.had && s.in.Lockfile == "readonly", Upgrade: s.had && s.in.Lockfile == "update",
		More: s.args.Init,
	})
	s.giveBack(terraform.LockFile)
	if err != nil {
		return s.explain(ctx, s.in.Engine.String()+" init failed", err)
	}
	if err := s.runner.SelectWorkspace(ctx, s.in.Workspace, s.in.Mode == Apply); err != nil {
		return s.explain(ctx, "The workspace cannot be used", err)
	}
	providers, err := terraform.Providers(s.dir)
	if err != nil {
		return s.explain(ctx, "The lock file cannot be read", err)
	}
	for _, name := range slices.Sorted(maps.Keys(providers)) {
		s.binding.Versions += fmt.Sprintf("\n%s %s", name, providers[name])
	}
	// Before the plan: data sources may write files beside the configuration.
	files := slices.DeleteFunc(slices.Clone(s.varFiles), func(name string) bool { return within(s.work, name) })
	planFile, _ := filepath.Abs(s.in.PlanFile)
	if s.binding.Configuration, err = terraform.HashConfiguration(s.dir, s.data, files, planFile); err != nil {
		return s.explain(ctx, "The configuration cannot be read", err)
	}
	s.binding.Inputs = fmt.Sprintf("%q %q %q %q %q %t", s.in.Environment, s.in.Workspace, s.in.BackendConfig, s.in.Targets, s.in.Replace,
		s.in.Mode == Destroy)
	if more := append(s.args.Init, s.args.Plan...); len(more) > 0 || s.in.RefreshOnly {
		s.binding.Inputs += fmt.Sprintf(" %q %t", more, s.in.RefreshOnly)
	}
	s.binding.Drift = s.in.RefreshOnly
	return nil
}

// backend returns the settings with files made absolute.
func (s *session) backend() []string {
	var settings []string
	for _, b := range s.in.BackendConfig {
		if !strings.Contains(b, "=") && !filepath.IsAbs(b) {
			b = filepath.Join(s.dir, b)
		}
		settings = append(settings, b)
	}
	return settings
}

// giveBack makes a file in the workspace belong to the workspace's owner: a container's root would leave what the runner's
// user can neither change nor delete at the next checkout.
func (s *session) giveBack(name string) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.dir, name)
	}
	ownership.Inherit(name)
}

// giveBackAll does so with all that the run left in the directory: a state beside the configuration, files that resources write.
func (s *session) giveBackAll() {
	info, err := os.Stat(s.dir)
	if err != nil || os.Geteuid() != 0 {
		return
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return
	}
	_ = filepath.WalkDir(s.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read is left as it is
		}
		info, err := entry.Info()
		if err != nil {
			return nil //nolint:nilerr // it is gone
		}
		if file, ok := info.Sys().(*syscall.Stat_t); ok && file.Uid == 0 {
			_ = os.Lchown(path, int(owner.Uid), int(owner.Gid))
		}
		return nil
	})
}

func (s *session) close() error {
	s.giveBackAll()
	var problems []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		problems = append(problems, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(problems...)
}

// explain makes the error of a run that has changed nothing.
func (s *session) explain(ctx context.Context, title string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", title, context.Cause(ctx))
	}
	e := &action.Error{Outcome: action.Invalid, Title: title, Err: err}
	if lock, ok := terraform.HeldLock(err); ok {
		e.Title = "The state is locked"
		e.Err = fmt.Errorf("%s%s: %w", tellLock(lock), s.byRun(lock), err)
		e.Advice = "Wait for that run, or raise lock-timeout. `mode: unlock` releases the lock of a run that has ended; by hand, `" +
			s.in.Engine.String() + " force-unlock " + lock.ID + "` does."
		return e
	}
	var failure *terraform.Failure
	if errors.As(err, &failure) {
		switch {
		case failure.Says("lock file") && (failure.Says("readonly") || failure.Says("read-only")):
			e.Title = "The lock file does not fit the configuration"
			e.Advice = "Run `terraform init -upgrade` and `terraform providers lock -platform=linux_amd64`, and commit .terraform.lock.hcl; or " +
				"pass lockfile: update."
		case failure.Says("error acquiring the state lock"):
			e.Title = "The state's lock cannot be written"
			e.Advice = "Nobody holds the lock: the role may lack s3:PutObject or s3:GetObject on the key with .tflock at its end."
		case failure.Says("no valid credential sources"):
			e.Title = "Terraform has no AWS credentials"
			e.Advice = "Pass role-to-assume with `permissions: id-token: write`, or configure credentials in an earlier step."
		case failure.Title() != "":
			e.Title, e.Err = failure.Title(), causeOf(failure)
		}
		e.Place = failure.Place
	}
	return e
}

// causeOf is a failure whose title is told beside it.
func causeOf(f *terraform.Failure) error { return &told{f} }

type told struct{ *terraform.Failure }

func (t *told) Error() string { return t.Cause() }
func (t *told) Unwrap() error { return t.Failure }

// byRun names the run that holds a lock, where that is known.
func (s *session) byRun(lock terraform.Lock) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if run := s.holder(ctx, lock); run != "" {
		return ": " + run
	}
	return ""
}

func tellLock(l terraform.Lock) string {
	text := fmt.Sprintf("%s holds the lock for %s", l.Who, strings.ToLower(strings.TrimPrefix(l.Operation, "OperationType")))
	if !l.Created.IsZero() {
		text += " since " + l.Created.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return text
}
