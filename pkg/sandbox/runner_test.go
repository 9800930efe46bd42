package sandbox_test

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// catcher is a Runner that keeps what it is given, and never gets further than that.
type catcher struct{ jobs []engine.Job }

func (c *catcher) Run(job engine.Job) engine.Process { c.jobs = append(c.jobs, job); return c }
func (*catcher) Start()                              {}
func (*catcher) Poll() engine.Progress               { return engine.Progress{} }
func (*catcher) Stop(time.Duration)                  {}
func (*catcher) Remove()                             {}

// TestRunnerGetsImageAndSecrets: what a runner needs comes out of the sandbox's registry and stores. Of an index it is the
// image of the task's platform.
func TestRunnerGetsImageAndSecrets(t *testing.T) {
	runner := &catcher{}
	sb := sandbox.New(sandbox.Options{Runner: runner, Scenario: &sandbox.Scenario{
		Secrets:    map[string]sandbox.Text{"connect2-api/dev/rds-credentials": `{"url": "postgresql://one"}`},
		Parameters: map[string]sandbox.Text{"/level": "debug"},
	}})
	arm, amd := image(t, 1), image(t, 2)
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: platformed(t, arm, "arm64")}, mutate.IndexAddendum{Add: platformed(t, amd, "amd64")})
	if err := remote.WriteIndex(reference(t, "connect2-api-dev:multi"), index, login(t, sb, operator(sb))...); err != nil {
		t.Fatal(err)
	}
	client := ecs.NewFromConfig(operator(sb))
	template, err := client.DescribeTaskDefinition(t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("connect2-api-dev-template")})
	if err != nil {
		t.Fatal(err)
	}
	d := template.TaskDefinition
	d.ContainerDefinitions[0].Image = aws.String("127.0.0.1:4566/connect2-api-dev:multi")
	d.ContainerDefinitions[0].Secrets = append(d.ContainerDefinitions[0].Secrets,
		types.Secret{Name: aws.String("LEVEL"), ValueFrom: aws.String("/level")})
	if _, err := client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("job"), Cpu: d.Cpu, Memory: d.Memory, NetworkMode: d.NetworkMode, RequiresCompatibilities: d.RequiresCompatibilities,
		ExecutionRoleArn: d.ExecutionRoleArn, ContainerDefinitions: d.ContainerDefinitions,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RunTask(t.Context(), &ecs.RunTaskInput{
		Cluster: aws.String("connect2-api-cluster-dev"), TaskDefinition: aws.String("job"), LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-0a"}}},
	}); err != nil {
		t.Fatal(err)
	}
	sb.Forward(time.Minute)
	if len(runner.jobs) != 1 {
		t.Fatalf("%d containers are run", len(runner.jobs))
	}
	job := runner.jobs[0]
	if job.Environment["DATABASE_URL"] != "postgresql://one" || job.Environment["LEVEL"] != "debug" ||
		job.Environment["ENVIRONMENT"] != "dev" {
		t.Errorf("the environment is %q", job.Environment)
	}
	var archive bytes.Buffer
	if err := job.Save(&archive, "api:saved", job.Platform); err != nil {
		t.Fatal(err)
	}
	saved, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(diffIDs(t, saved), diffIDs(t, amd)) {
		t.Error("the archive holds another image")
	}
	if err := job.Save(io.Discard, "api:saved", "linux/riscv64"); err == nil {
		t.Error("an image of another platform is saved")
	}
}

func platformed(t *testing.T, img v1.Image, architecture string) v1.Image {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", architecture
	out, err := mutate.ConfigFile(img, file)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func diffIDs(t *testing.T, img v1.Image) (ids []string) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		id, err := layer.DiffID()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id.String())
	}
	return ids
}
