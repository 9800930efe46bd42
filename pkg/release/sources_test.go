package release_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// ofBuilds names three services: the api with a proxy beside it, the worker, and mail, whose only container is a proxy.
const ofBuilds = sandboxtest.SeveralFile + `migrate: {service: api, command: alembic upgrade head}
builds: {app: ., proxy: {folder: ./proxy}}
containers: {connect2-api: app, nginx: proxy}
`

// atBuilds is a sandbox with those services, and the inputs of a release of all of them.
func atBuilds(t *testing.T, file string, test func(s *site, in release.Inputs)) {
	t.Helper()
	sandboxtest.Run(t, sandboxtest.Several, func(t *testing.T, world *sandboxtest.Site) {
		s := &site{world}
		s.template("connect2-api-dev-template", `"containerDefinitions":[`,
			`"containerDefinitions":[{"name":"nginx","image":"connect2-api-dev:v1"},`)
		s.template(sandboxtest.Mail+"-template", `"name":"connect2-api"`, `"name":"nginx"`)
		in := inputs("")
		in.File, in.FileEnvironment, in.Service, in.Migrate = filepath.Join(t.TempDir(), "connect2.yaml"), "dev", "", false
		if err := os.WriteFile(in.File, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		test(s, in)
	})
}

// template registers a template with another text in it.
func (s *site) template(family, old, instead string) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		template, err := e.TaskDefinition(family)
		if err != nil {
			s.T.Fatal(err)
		}
		text, err := json.Marshal(template.Document)
		if err != nil {
			s.T.Fatal(err)
		}
		changed := strings.Replace(string(text), old, instead, 1)
		if changed == string(text) {
			s.T.Fatalf("%s has no %s", family, old)
		}
		if _, err := e.RegisterTaskDefinition([]byte(changed), "terraform"); err != nil {
			s.T.Fatal(err)
		}
	})
}

// images are those of all containers of what the services are at, by SERVICE/CONTAINER.
func (s *site) images() map[string]string {
	all := map[string]string{}
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(sandboxtest.Cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		for _, name := range []string{sandboxtest.Service, sandboxtest.Worker, sandboxtest.Mail} {
			for _, container := range c.Service(name).Deployments[0].Revision.Spec.Definition.Definition.Containers {
				_, digest, _ := strings.Cut(container.Image, "@")
				all[name+"/"+container.Name] = digest
			}
		}
	})
	return all
}

// tagged returns the digest of a tag of the repository, or "".
func (s *site) tagged(tag string) string {
	out, err := ecr.NewFromConfig(s.Config()).DescribeImages(s.T.Context(), &ecr.DescribeImagesInput{
		RepositoryName: aws.String("connect2-api-dev"), ImageIds: []types.ImageIdentifier{{ImageTag: &tag}}})
	if err != nil || len(out.ImageDetails) != 1 {
		return ""
	}
	return aws.ToString(out.ImageDetails[0].ImageDigest)
}

// TestSeveralSources pushes an image for each build, and deploys each to the containers that run it, in all services.
func TestSeveralSources(t *testing.T) {
	atBuilds(t, ofBuilds, func(s *site, in release.Inputs) {
		in.Sources = map[string]string{"app": s.image("v2", ""), "proxy": s.image("proxy-2", "")}
		in.Migrate = true
		out, err := release.Run(s.T.Context(), s.Env, in)
		if err != nil || out.Outcome != action.Succeeded || !out.Changed || out.ExitCode == nil {
			t.Fatalf("%+v, %v", out, err)
		}
		digests := map[string]string{}
		for line := range strings.Lines(out.Images) {
			name, image, _ := strings.Cut(strings.TrimSpace(line), "=")
			_, digests[name], _ = strings.Cut(image, "@")
		}
		app, proxy := digests["app"], digests["proxy"]
		want := map[string]string{sandboxtest.Service + "/connect2-api": app, sandboxtest.Service + "/nginx": proxy,
			sandboxtest.Worker + "/connect2-api": app, sandboxtest.Mail + "/nginx": proxy}
		got := s.images()
		for container, digest := range want {
			if got[container] != digest || digest == "" {
				t.Errorf("%s has %q, want %q", container, got[container], digest)
			}
		}
		if app == proxy || s.tagged("v2") != app || s.tagged("proxy-v2") != proxy || s.tagged("app-v2") != "" {
			t.Errorf("app %s, proxy %s; v2 is %s, proxy-v2 %s", app, proxy, s.tagged("v2"), s.tagged("proxy-v2"))
		}
		if !s.before("ecr:PutImage", "ecs:RunTask") || !s.before("ecs:RunTask", "ecs:UpdateService") {
			t.Errorf("the parts ran in another order: %v", s.calls())
		}

		// The very same again changes nothing; the proxy alone leaves the app as it is.
		s.Fresh()
		in.Migrate = false
		if out, err := release.Run(s.T.Context(), s.Env, in); err != nil || out.Outcome != action.NoChange || out.Changed {
			t.Errorf("%+v, %v", out, err)
		}
		s.Fresh()
		in.Sources = map[string]string{"proxy": s.image("proxy-3", "")}
		in.Push.Tags = []string{"v3"}
		if out, err = release.Run(s.T.Context(), s.Env, in); err != nil || out.Outcome != action.Succeeded {
			t.Fatalf("%+v, %v", out, err)
		}
		_, third, _ := strings.Cut(out.Images, "@")
		got = s.images()
		for container, digest := range want {
			if digest == proxy {
				digest = third
			}
			if got[container] != digest {
				t.Errorf("%s has %q, want %q", container, got[container], digest)
			}
		}
	})
}

// TestSourceBesideSources gives the main build by source and the other by its name, in a repository of its own.
func TestSourceBesideSources(t *testing.T) {
	own := strings.Replace(ofBuilds, "./proxy}", "./proxy, repository: 'proxy-{environment}'}", 1)
	atBuilds(t, own, func(s *site, in release.Inputs) {
		in.Source, in.Sources, in.Push.CreateRepository = s.image("v2", ""), map[string]string{"proxy": s.image("proxy-2", "")}, true
		out, err := release.Run(s.T.Context(), s.Env, in)
		if err != nil || out.Outcome != action.Succeeded {
			t.Fatalf("%+v, %v", out, err)
		}
		_, proxy, _ := strings.Cut(out.Images, "@")
		if !strings.HasSuffix(out.Image, "/connect2-api-dev@"+out.Digest) || !strings.Contains(out.Images, "/proxy-dev@sha256:") {
			t.Errorf("image %s, images %s", out.Image, out.Images)
		}
		got := s.images()
		if got[sandboxtest.Service+"/connect2-api"] != out.Digest || got[sandboxtest.Worker+"/connect2-api"] != out.Digest ||
			got[sandboxtest.Service+"/nginx"] != proxy || got[sandboxtest.Mail+"/nginx"] != proxy {
			t.Errorf("app %s, proxy %s: %v", out.Digest, proxy, got)
		}
	})
}

// TestSourcesWithoutAFile pushes for a container of one service by inputs alone.
func TestSourcesWithoutAFile(t *testing.T) {
	atBuilds(t, ofBuilds, func(s *site, in release.Inputs) {
		in.File, in.FileEnvironment, in.Service, in.Container = "", "", sandboxtest.Service, "connect2-api"
		in.Source, in.Sources = s.image("v2", ""), map[string]string{"nginx": s.image("proxy-2", "")}
		out, err := release.Run(s.T.Context(), s.Env, in)
		if err != nil || out.Outcome != action.Succeeded {
			t.Fatalf("%+v, %v", out, err)
		}
		_, nginx, _ := strings.Cut(out.Images, "@")
		got := s.images()
		if got[sandboxtest.Service+"/connect2-api"] != out.Digest || got[sandboxtest.Service+"/nginx"] != nginx || nginx == "" {
			t.Errorf("%s, %s: %v", out.Digest, out.Images, got)
		}
	})
}

// TestSourcesAreCheckedBeforeTheFirstPush has a row for each thing that is wrong with several sources; nothing is pushed.
func TestSourcesAreCheckedBeforeTheFirstPush(t *testing.T) {
	own := strings.Replace(ofBuilds, "./proxy}", "./proxy, repository: proxies}", 1)
	for name, tt := range map[string]struct {
		file   string
		change func(s *site, in *release.Inputs)
		want   []string
	}{
		"a source that is not there, and a service that is not": {strings.Replace(ofBuilds, "connect2-api-mail-", "connect2-api-male-", 1),
			func(_ *site, in *release.Inputs) { in.Sources["proxy"] = "/nowhere/proxy.tar" },
			[]string{"sources: proxy: ", "/nowhere/proxy.tar", "connect2-api-male-dev"}},
		"a name that nothing has": {ofBuilds, func(s *site, in *release.Inputs) { in.Sources["prxy"] = s.image("x", "") },
			[]string{"sources: no task definition that is deployed has a container prxy: did you mean proxy?"}},
		"one image for two builds": {ofBuilds, func(s *site, in *release.Inputs) { in.Source, in.Sources = s.image("x", ""), nil },
			[]string{"source: which build is it? api runs app and mail runs proxy", "proxy=…"}},
		"one image that nobody gets": {ofBuilds, func(s *site, in *release.Inputs) { in.Source = s.image("x", "") },
			[]string{"source: every main container gets another image by its name already"}},
		"a repository that is not there": {own, func(*site, *release.Inputs) {},
			[]string{"sources: proxy: ", `the ECR repository "proxies" does not exist`}},
		"more repositories for a build with its own": {own, func(_ *site, in *release.Inputs) {
			in.Push.Also, in.Push.CreateRepository = []string{"other"}, true
		}, []string{"also: build proxy has a repository of its own (proxies)"}},
		"given twice for one service": {ofBuilds, func(s *site, in *release.Inputs) {
			in.File, in.FileEnvironment, in.Service, in.Container = "", "", sandboxtest.Service, "connect2-api"
			in.Source, in.Sources = s.image("x", ""), map[string]string{"connect2-api": in.Sources["app"]}
		}, []string{"images: connect2-api gets its image twice: by the input image or source, and as connect2-api of sources"}},
	} {
		t.Run(name, func(t *testing.T) {
			atBuilds(t, tt.file, func(s *site, in release.Inputs) {
				in.Sources = map[string]string{"app": s.image("v2", ""), "proxy": s.image("proxy-2", "")}
				tt.change(s, &in)
				s.Sandbox.ResetJournal()
				_, err := release.Run(s.T.Context(), s.Env, in)
				if action.OutcomeOf(err) != action.Invalid {
					t.Fatalf("outcome %s, error %v", action.OutcomeOf(err), err)
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error does not say %q: %v", want, err)
					}
				}
				if calls := s.calls(); len(calls) > 0 {
					t.Errorf("calls that changed something: %v", calls)
				}
			})
		})
	}
}

// TestASecondPushThatFails stops the release: nothing is deployed, and what was pushed before is told.
func TestASecondPushThatFails(t *testing.T) {
	atBuilds(t, ofBuilds, func(s *site, in release.Inputs) {
		before := s.images()
		in.Sources = map[string]string{"app": s.image("v2", ""), "proxy": s.image("proxy-2", "")}
		broken := filepath.Join(in.Sources["proxy"], "blobs", "sha256")
		blobs, err := os.ReadDir(broken)
		if err != nil {
			t.Fatal(err)
		}
		for _, blob := range blobs { // the layer is the one that is no JSON
			path := filepath.Join(broken, blob.Name())
			if text, err := os.ReadFile(path); err != nil || json.Valid(text) {
				continue
			}
			info, _ := blob.Info()
			if err := os.WriteFile(path, make([]byte, info.Size()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := release.Run(s.T.Context(), s.Env, in)
		if action.OutcomeOf(err) != action.Failed || !out.Changed || !strings.HasPrefix(out.Images, "app=") || out.Cause != "" {
			t.Errorf("%+v, %v", out, err)
		}
		for _, call := range s.calls() {
			if strings.HasPrefix(call, "ecs:") {
				t.Errorf("called %s", call)
			}
		}
		for container, digest := range s.images() {
			if before[container] != digest {
				t.Errorf("%s has %s, had %s", container, digest, before[container])
			}
		}
	})
}
