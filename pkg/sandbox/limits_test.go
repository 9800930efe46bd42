package sandbox_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/sandbox"
)

func impatient(o *ecs.Options) { o.RetryMaxAttempts = 1 }

// TestCallsThatHang: a client waits until it gives up, and finds out afterwards whether anything was done.
func TestCallsThatHang(t *testing.T) {
	for answer, exists := range map[sandbox.Answer]bool{sandbox.Hang: false, sandbox.HangAfter: true} {
		synctest.Test(t, func(t *testing.T) {
			sb := sandbox.New(sandbox.Options{})
			if err := sb.Inject(sandbox.Fault{Action: "ecr:CreateRepository", Answer: answer, Times: 1}); err != nil {
				t.Fatal(err)
			}
			client := ecr.NewFromConfig(operator(sb), func(o *ecr.Options) { o.RetryMaxAttempts = 1 })
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			start := time.Now()
			_, err := client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("new")})
			if took := time.Since(start); err == nil || took != time.Hour {
				t.Errorf("%s: %v after %s, want no answer until the hour is over", answer, err, took)
			}
			_, err = client.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"new"}})
			if (err == nil) != exists {
				t.Errorf("%s: the repository exists: %v (%v)", answer, err == nil, err)
			}
		})
	}
}

// TestRegistryThatHangs: the world is not locked while a request waits.
func TestRegistryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		options := login(t, sb, operator(sb))
		if err := sb.Inject(sandbox.Fault{Action: "ecr:BatchGetImage", Answer: sandbox.Hang}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error)
		go func() {
			_, err := remote.Get(reference(t, repository+":v1"), append(options, remote.WithContext(ctx))...)
			done <- err
		}()
		time.Sleep(time.Second)
		if err := once(t, sb); err != nil {
			t.Errorf("another call meanwhile: %v", err)
		}
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the call that hangs: %v", err)
		}
	})
}

func TestRefusalOnDemand(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	const text = "Too many concurrent attempts to create a new revision of the specified family."
	if err := sb.Inject(sandbox.Fault{Action: "ecr:*", Answer: sandbox.Refuse, Code: "ClientException", Message: text}); err != nil {
		t.Fatal(err)
	}
	if err := once(t, sb); code(t, err) != "ClientException" || message(err) != text {
		t.Errorf("got %v", err)
	}
	for _, f := range []sandbox.Fault{
		{Action: "ecr:*", Answer: sandbox.Refuse}, {Action: "ecr:*", Answer: sandbox.Cut, Code: "X"},
		{Action: "ecr:*", Answer: sandbox.Throttle, Message: "x"},
	} {
		if err := sb.Inject(f); err == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}

// TestDocumentedLimits: the burst passes, what comes after it is throttled, and the bucket fills at the documented rate. Each
// bucket is its own; without the setting there is none.
func TestDocumentedLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := open(t, `limits: documented`)
		client := ecs.NewFromConfig(operator(sb), impatient)
		deregister := func() error {
			_, err := client.DeregisterTaskDefinition(t.Context(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("none:1")})
			if err != nil && code(t, err) != "ThrottlingException" {
				return nil // that there is none is an answer
			}
			return err
		}
		passed := func(calls int) (n int) {
			for range calls {
				if deregister() == nil {
					n++
				}
			}
			return n
		}
		if n := passed(30); n != 20 {
			t.Errorf("%d of 30 calls passed at once, want the burst of 20", n)
		}
		family := ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("connect2-api-dev")}
		if _, err := client.DescribeTaskDefinition(t.Context(), &family); err != nil {
			t.Errorf("a call of another bucket: %v", err)
		}
		time.Sleep(3 * time.Second)
		if n := passed(10); n != 3 {
			t.Errorf("%d of 10 calls passed three seconds later, want 3", n)
		}
		time.Sleep(time.Hour)
		if n := passed(30); n != 20 {
			t.Errorf("%d of 30 calls passed an hour later, want the burst of 20", n)
		}
		sb = open(t, "limits: documented\nlimitsUsed: 0.9")
		client = ecs.NewFromConfig(operator(sb), impatient)
		if n := passed(30); n != 2 {
			t.Errorf("%d of 30 calls passed at once where others use nine tenths, want 2", n)
		}
		sb = sandbox.New(sandbox.Options{})
		client = ecs.NewFromConfig(operator(sb), impatient)
		if n := passed(200); n != 200 {
			t.Errorf("%d of 200 calls passed without limits", n)
		}
	})
	if _, err := sandbox.ParseScenario([]byte("limits: strict\nlimitsUsed: 1")); err == nil || !strings.Contains(err.Error(), "documented") {
		t.Errorf("an unknown value of limits: %v", err)
	}
}

// TestLaggingServices: DescribeServices shows the state of some seconds ago, with its tags where asked for, and the answer to the
// update does not lag.
func TestLaggingServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := open(t, `lag: {services: 4s}`)
		client := ecs.NewFromConfig(operator(sb))
		shown := func(include ...ecstypes.ServiceField) ecstypes.Service {
			out, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: []string{service},
				Include: include})
			if err != nil {
				t.Fatal(err)
			}
			return out.Services[0]
		}
		before := shown()
		time.Sleep(10 * time.Second)
		updated, err := client.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String(cluster), Service: aws.String(service),
			DesiredCount: aws.Int32(3)})
		if err != nil || updated.Service.DesiredCount != 3 {
			t.Fatalf("the update shows %d tasks: %v", updated.Service.DesiredCount, err)
		}
		_, err = client.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: before.ServiceArn,
			Tags: []ecstypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3900 * time.Millisecond)
		if got := shown(); got.DesiredCount != 2 || len(got.Tags) != 0 {
			t.Errorf("after 3.9 s %d tasks and %d tags are shown, want 2 and none", got.DesiredCount, len(got.Tags))
		}
		time.Sleep(200 * time.Millisecond)
		if got := shown(); got.DesiredCount != 3 || len(got.Tags) != 0 {
			t.Errorf("after 4.1 s %d tasks and %d tags are shown, want 3 and, since nobody asked for them, none", got.DesiredCount, len(got.Tags))
		}
		if got := shown(ecstypes.ServiceFieldTags); len(got.Tags) == 0 {
			t.Error("the tags that were asked for are not shown")
		}
	})
}

// TestCurrentServiceDeployment is set while one goes on, and empty when none does.
func TestCurrentServiceDeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		client := ecs.NewFromConfig(operator(sb))
		current := func() string {
			out, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: []string{service}})
			if err != nil {
				t.Fatal(err)
			}
			return aws.ToString(out.Services[0].CurrentServiceDeployment)
		}
		if got := current(); got != "" {
			t.Errorf("nothing goes on, and the current service deployment is %s", got)
		}
		release(t, client, sandbox.DefaultHost+"/"+repository+":v1")
		time.Sleep(5 * time.Second)
		if current() == "" {
			t.Error("a deployment goes on, and there is no current service deployment")
		}
		time.Sleep(15 * time.Minute)
		if got := current(); got != "" {
			t.Errorf("all is over, and the current service deployment is %s", got)
		}
	})
}

// TestTasksInNoOrder: the order of ListTasks is that of the tasks' random ids.
func TestTasksInNoOrder(t *testing.T) {
	sb := open(t, `service: {desiredCount: 8}`)
	client := ecs.NewFromConfig(operator(sb))
	list, err := client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String(cluster)})
	if err != nil || len(list.TaskArns) != 8 || !slices.IsSorted(list.TaskArns) {
		t.Errorf("%v, %v", list, err)
	}
}

// TestSinglePrincipalsAreStrings: strict clients refuse a list of one.
func TestSinglePrincipalsAreStrings(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	role, err := iam.NewFromConfig(operator(sb)).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("connect2-api-dev-execution")})
	if err != nil {
		t.Fatal(err)
	}
	document, err := url.QueryUnescape(aws.ToString(role.Role.AssumeRolePolicyDocument))
	if err != nil || !strings.Contains(document, `"Service":"ecs-tasks.amazonaws.com"`) {
		t.Errorf("%v: %s", err, document)
	}
}

// TestForeignLayers: a manifest may name a layer that lies elsewhere, and no other that is not there.
func TestForeignLayers(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	options := login(t, sb, operator(sb))
	for kind, taken := range map[types.MediaType]bool{types.DockerForeignLayer: true, types.OCILayer: false} {
		here, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("here"), types.OCILayer))
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(reference(t, repository+":here"), here, options...); err != nil {
			t.Fatal(err)
		}
		img, err := mutate.AppendLayers(here, static.NewLayer([]byte("elsewhere"), kind))
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.RawConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteLayer(reference(t, repository).Context(), static.NewLayer(config, types.OCIConfigJSON), options...); err != nil {
			t.Fatal(err)
		}
		if err := remote.Put(reference(t, repository+":foreign"), img, options...); (err == nil) != taken {
			t.Errorf("a manifest with a missing layer of type %s: %v", kind, err)
		}
	}
}
