package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/run"
)

// folderRelease is what is told about the builds of connect2 deploy FOLDER, beside the inputs of a release.
type folderRelease struct {
	Dockerfile string `input:"dockerfile" path:"read" doc:"The Dockerfile. Empty: Dockerfile or docker/Dockerfile in the folder."`
	Target     string `input:"build-target" doc:"The stage of the Dockerfile. Empty: the last one."`

	folder    string
	temporary string  // where the images are saved
	builds    []build // at least one
}

// build is an image that is built.
type build struct {
	name       string // of the file's builds; "" for the image of the main container
	folder     string
	dockerfile string
	target     string
	tar        string // where the image is saved
}

// deployFolder is connect2 deploy FOLDER: it builds the folder's Dockerfile, or those of all builds of connect2.yaml that lie in it, and
// releases the images.
func deployFolder(ctx context.Context, folder string, args []string, stdout, stderr io.Writer) int {
	temporary, err := os.MkdirTemp("", "connect2-build-")
	if err != nil {
		fmt.Fprintf(stderr, "connect2 deploy: %v\n", err)
		return action.Invalid.ExitCode()
	}
	defer os.RemoveAll(temporary)
	f := &folderRelease{folder: folder, temporary: temporary}
	a := action.Define(action.Meta{
		Name:        "deploy",
		Description: "Build a folder's Dockerfile with Docker, push the image, migrate if asked, and deploy",
		Doc: "connect2 deploy FOLDER is a release whose images are built first, for the platform of the service's tasks: those of builds of " +
			"connect2.yaml that lie in the folder, or else the folder's own. Its flags are those " +
			"of connect2 release, and --dockerfile and --build-target.",
		Examples: []action.Example{{Title: "Release this folder", Args: ". --environment dev --migrate"}},
	}, f.release)
	extra := slices.Concat(action.FieldsOf(*f), run.ExtraFields(a))
	given := a.FromArguments(append(slices.Clone(args), "--source="+filepath.Join(temporary, "image.tar")), os.Getenv, extra...)
	if given.Help {
		_, _ = io.WriteString(stdout, a.Help(extra...)) // nobody is there to be told
		return 0
	}
	given.Into(f)
	run.Names(a, &given, os.Getenv, run.FileHere)
	var chosen project.Selection
	given.Into(&chosen)
	for _, problem := range f.plan(chosen) {
		given.Problem(problem)
	}
	return run.Given(ctx, a, given, stdout, stderr, &action.Env{})
}

// plan finds what is to be built. A file that cannot be read is told elsewhere.
func (f *folderRelease) plan(chosen project.Selection) (problems []error) {
	if info, err := os.Stat(f.folder); err != nil || !info.IsDir() {
		return []error{fmt.Errorf("FOLDER: %q is not a folder", f.folder)}
	}
	file := &project.File{}
	if chosen.File != "" {
		if read, wrong := project.Read(chosen.File); len(wrong) == 0 {
			file = read
		}
	}
	var err error
	if f.builds, err = buildsIn(f.folder, file, chosen.FileEnvironment); err != nil {
		return []error{err}
	}
	if len(f.builds) > 1 && (f.Dockerfile != "" || f.Target != "") {
		problems = append(problems, fmt.Errorf("dockerfile, build-target: %d images are built: say it in %s: "+
			"builds: {%s: {folder: …, dockerfile: …, target: …}}", len(f.builds), filepath.Base(chosen.File), f.builds[0].name))
	}
	for i := range f.builds {
		b := &f.builds[i]
		b.tar = filepath.Join(f.temporary, strings.TrimPrefix(b.name+"-", "-")+"image.tar")
		b.target = cmp.Or(f.Target, b.target)
		if f.Dockerfile != "" {
			b.dockerfile = f.Dockerfile
		}
		if err := b.find(); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// buildsIn returns the builds of a file that lie in a folder, or the folder itself where none does. One that no container runs, as the
// file says, is the image of the main container.
func buildsIn(folder string, file *project.File, environment string) (all []build, err error) {
	from, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	runs := slices.Collect(maps.Values(file.Containers))
	var loose []string
	for _, b := range file.BuildsOf(environment) {
		at, err := filepath.Abs(filepath.Join(filepath.Dir(file.Path), b.Folder))
		if err != nil {
			return nil, err
		}
		below, err := filepath.Rel(from, at)
		if err != nil || !filepath.IsLocal(below) {
			continue
		}
		path := filepath.Join(folder, below)
		one := build{name: b.Name, folder: path, target: b.Target}
		if b.Dockerfile != "" {
			one.dockerfile = filepath.Join(path, b.Dockerfile)
		}
		if !slices.Contains(runs, b.Name) {
			loose, one.name = append(loose, b.Name), ""
		}
		all = append(all, one)
	}
	switch {
	case len(loose) > 1:
		return nil, fmt.Errorf("%s: containers: say which container runs which of %s", file.Path, strings.Join(loose, ", "))
	case len(all) == 0:
		return []build{{folder: folder}}, nil
	}
	return all, nil
}

// find finds the Dockerfile.
func (b *build) find() error {
	tried := []string{b.dockerfile}
	if b.dockerfile == "" {
		tried = []string{filepath.Join(b.folder, "Dockerfile"), filepath.Join(b.folder, "docker", "Dockerfile")}
	}
	for _, path := range tried {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			b.dockerfile = path
			return nil
		}
	}
	return fmt.Errorf("dockerfile: there is no %s", strings.Join(tried, ", nor "))
}

// release builds, and releases what was built.
func (f *folderRelease) release(ctx context.Context, env *action.Env, in release.Inputs) (release.Outputs, error) {
	if in.Push.Platform == "" {
		platform, err := platformOf(ctx, env, in)
		if err != nil {
			return release.Outputs{}, awsconn.Refuse(ctx, "The service could not be read", err)
		}
		in.Push.Platform = platform
	}
	if len(in.Push.Tags) == 0 {
		if tag := commitOf(ctx, f.folder); tag != "" {
			in.Push.Tags = []string{tag}
		}
	}
	in.Source, in.Sources = "", maps.Clone(in.Sources)
	for _, b := range f.builds {
		if b.name == "" {
			in.Source = b.tar
			continue
		}
		if in.Sources == nil {
			in.Sources = map[string]string{}
		}
		in.Sources[b.name] = b.tar
	}
	if err := awsconn.Refuse(ctx, "Invalid input", in.Validate()...); err != nil {
		return release.Outputs{}, err
	}
	for _, b := range f.builds {
		if err := b.build(ctx, env, in.Push.Platform); err != nil {
			return release.Outputs{}, err
		}
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
	args = append(args, "--platform="+platform, "--file="+b.dockerfile, "--iidfile="+idFile)
	if b.target != "" {
		args = append(args, "--target="+b.target)
	}
	return append(args, b.folder)
}

// build builds the image, and saves it.
func (b *build) build(ctx context.Context, env *action.Env, platform string) error {
	if _, err := exec.LookPath("docker"); err != nil {
		return &action.Error{Outcome: action.Invalid, Title: "Docker is not installed", Err: fmt.Errorf("build %s: %w", b.dockerfile, err),
			Advice: "Install Docker, or build the image elsewhere and release it: connect2 release --source image.tar."}
	}
	buildx := exec.CommandContext(ctx, "docker", "buildx", "version").Run() == nil
	idFile := b.tar + ".id"
	env.Events.Notef("Building %s for %s", b.dockerfile, platform)
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
