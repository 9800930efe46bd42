package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/run"
)

// build is what is told about a build, beside the inputs of a release.
type build struct {
	Dockerfile string `input:"dockerfile" path:"read" doc:"The Dockerfile; Dockerfile or docker/Dockerfile of the folder where it is empty."`
	Target     string `input:"build-target" doc:"The stage of the Dockerfile; the last one where it is empty."`

	folder string
	tar    string // where the image is saved
}

// deployFolder is connect2 deploy FOLDER: it builds the folder's Dockerfile, and releases the image.
func deployFolder(ctx context.Context, folder string, args []string, stdout, stderr io.Writer) int {
	temporary, err := os.MkdirTemp("", "connect2-build-")
	if err != nil {
		fmt.Fprintf(stderr, "connect2 deploy: %v\n", err)
		return action.Invalid.ExitCode()
	}
	defer os.RemoveAll(temporary)
	b := &build{folder: folder, tar: filepath.Join(temporary, "image.tar")}
	a := action.Define(action.Meta{
		Name:        "deploy",
		Description: "Build a folder's Dockerfile with Docker, push the image, migrate when asked, deploy",
		Doc: "connect2 deploy FOLDER is a release whose image is built first, for the platform of the service's tasks. Its flags are those " +
			"of connect2 release, and --dockerfile and --build-target.",
		Examples: []action.Example{{Title: "Release this folder", Args: ". --environment dev --migrate"}},
	}, b.release)
	extra := slices.Concat(action.FieldsOf(*b), run.ExtraFields(a))
	given := a.FromArguments(append(slices.Clone(args), "--source="+b.tar), os.Getenv, extra...)
	if given.Help {
		_, _ = io.WriteString(stdout, a.Help(extra...)) // nobody is there to be told
		return 0
	}
	given.Into(b)
	if err := b.check(); err != nil {
		given.Problem(err)
	}
	run.Names(a, &given, os.Getenv, run.FileHere)
	return run.Given(ctx, a, given, stdout, stderr, &action.Env{})
}

// check finds the Dockerfile.
func (b *build) check() error {
	if info, err := os.Stat(b.folder); err != nil || !info.IsDir() {
		return fmt.Errorf("FOLDER: %q is not a folder", b.folder)
	}
	tried := []string{b.Dockerfile}
	if b.Dockerfile == "" {
		tried = []string{filepath.Join(b.folder, "Dockerfile"), filepath.Join(b.folder, "docker", "Dockerfile")}
	}
	for _, path := range tried {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			b.Dockerfile = path
			return nil
		}
	}
	return fmt.Errorf("dockerfile: there is no %s", strings.Join(tried, ", nor "))
}

// release builds, and releases what was built.
func (b *build) release(ctx context.Context, env *action.Env, in release.Inputs) (release.Outputs, error) {
	if in.Push.Platform == "" {
		platform, err := platformOf(ctx, env, in)
		if err != nil {
			return release.Outputs{}, awsconn.Refuse(ctx, "The service could not be read", err)
		}
		in.Push.Platform = platform
	}
	if len(in.Push.Tags) == 0 {
		if tag := commitOf(ctx, b.folder); tag != "" {
			in.Push.Tags = []string{tag}
		}
	}
	if err := b.build(ctx, env, in.Push.Platform); err != nil {
		return release.Outputs{}, err
	}
	return release.Run(ctx, env, in)
}

// platformOf reads what the tasks of the service run on.
func platformOf(ctx context.Context, env *action.Env, in release.Inputs) (string, error) {
	const usual = "linux/amd64"
	if in.Cluster == "" || in.Service == "" {
		return usual, nil // a file names several services
	}
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return "", err
	}
	client := ecs.NewFromConfig(conn.Config)
	service, err := ecsview.Find(ctx, client, in.Cluster, in.Service, hold.Unread(env.Events))
	if err != nil {
		return "", err
	}
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: service.TaskDefinition})
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", aws.ToString(service.TaskDefinition), awserr.Explain(err))
	}
	if p := out.TaskDefinition.RuntimePlatform; p != nil && p.CpuArchitecture == "ARM64" {
		return "linux/arm64", nil
	}
	return usual, nil
}

// commitOf is the commit of a folder in which nothing was changed since; "" where there is none.
func commitOf(ctx context.Context, folder string) string {
	changes, err := exec.CommandContext(ctx, "git", "-C", folder, "status", "--porcelain", ".").Output()
	if err != nil || len(bytes.TrimSpace(changes)) > 0 {
		return ""
	}
	commit, err := exec.CommandContext(ctx, "git", "-C", folder, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(commit))
}

// arguments are those of the build: by buildx where it is there, which builds for other platforms.
func (b *build) arguments(buildx bool, platform, idFile string) []string {
	args := []string{"build"}
	if buildx {
		args = []string{"buildx", "build", "--load"}
	}
	args = append(args, "--platform="+platform, "--file="+b.Dockerfile, "--iidfile="+idFile)
	if b.Target != "" {
		args = append(args, "--target="+b.Target)
	}
	return append(args, b.folder)
}

// build builds the image, and saves it.
func (b *build) build(ctx context.Context, env *action.Env, platform string) error {
	if _, err := exec.LookPath("docker"); err != nil {
		return &action.Error{Outcome: action.Invalid, Title: "Docker is not installed", Err: fmt.Errorf("build %s: %w", b.Dockerfile, err),
			Advice: "Install Docker, or build the image elsewhere and release it: connect2 release --source image.tar."}
	}
	buildx := exec.CommandContext(ctx, "docker", "buildx", "version").Run() == nil
	idFile := filepath.Join(filepath.Dir(b.tar), "id")
	env.Events.Notef("Building %s for %s", b.Dockerfile, platform)
	if err := docker(ctx, env, b.arguments(buildx, platform, idFile)...); err != nil {
		return err
	}
	id, err := os.ReadFile(idFile)
	if err != nil || len(bytes.TrimSpace(id)) == 0 {
		return &action.Error{Outcome: action.Failed, Title: "The image could not be built",
			Err: errors.Join(errors.New("docker build named no image"), err)}
	}
	return docker(ctx, env, "save", "--output="+b.tar, strings.TrimSpace(string(id)))
}

// docker runs Docker's command line. What it says is told as it comes.
func docker(ctx context.Context, env *action.Env, args ...string) error {
	command := exec.CommandContext(ctx, "docker", args...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	log := env.Events.Output("docker")
	command.Stdout, command.Stderr = log, log
	err := command.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return &action.Error{Outcome: action.Failed, Title: "The image could not be built",
		Err:    fmt.Errorf("docker %s: %w", strings.Join(args[:min(2, len(args))], " "), err),
		Advice: "What Docker said stands above. Nothing was pushed, and the service was not touched."}
}
