package ecrpush

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/org/connect2/v2/pkg/image"
)

// A push to ECR Public without a login is refused before anything is read, with where to get one; each row differs in one thing.
func TestPublicLogin(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	none := logins{}.keychain()
	for _, c := range []struct {
		name     string
		logins   authn.Keychain
		to       []string
		refusals string // the repository that is named
	}{
		{"without a login", none, []string{"public.ecr.aws/a1b2c3/app"}, "public.ecr.aws/a1b2c3/app"},
		{"also there", none, []string{"app", "public.ecr.aws/a1b2c3/app"}, "public.ecr.aws/a1b2c3/app"},
		{"with a login", logins{"public.ecr.aws": "AWS:x"}.keychain(), []string{"public.ecr.aws/a1b2c3/app"}, ""},
		{"with another's login", logins{"ghcr.io": "me:x"}.keychain(), []string{"public.ecr.aws/a1b2c3/app"}, "public.ecr.aws/a1b2c3/app"},
		{"to another registry", none, []string{"ghcr.io/org/app"}, ""},
		{"to ECR", none, []string{"app"}, ""},
	} {
		err := publicLogin(c.logins, c.to...)
		if (err == nil) != (c.refusals == "") || err != nil && (!strings.Contains(err.Error(), c.refusals) ||
			!strings.Contains(err.Error(), "aws ecr-public get-login-password --region us-east-1") ||
			titleOf(err) != "public.ecr.aws takes a login to push") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPublicNames(t *testing.T) {
	for name, want := range map[string]string{
		"public.ecr.aws/a1b2c3/app": "", "public.ecr.aws/app": "public.ecr.aws/ALIAS/app", "ghcr.io/app": "",
		"arn:aws:ecr-public::123456789012:repository/app": "write its URI, public.ecr.aws/ALIAS/NAME",
		"arn:aws:ecr:us-east-1:123456789012:repository/a": "",
	} {
		problems := Inputs{Source: "image.tar", Repository: name}.Validate()
		if len(problems) != min(len(want), 1) || want != "" && !strings.Contains(problems[0].Error(), want) {
			t.Errorf("%s: %v, want %q", name, problems, want)
		}
		if problems := (Inputs{Source: "image.tar", Repository: "x", Also: []string{name}}).Validate(); len(problems) != min(len(want), 1) {
			t.Errorf("also %s: %v, want %q", name, problems, want)
		}
	}
}

// What is not there may have to be made first, or be what a pull-through cache may not make.
func TestAdviceOnWhatIsNotThere(t *testing.T) {
	const host = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"ECR Public", &image.RegistryError{Status: 404, URL: "https://public.ecr.aws/v2/a1/app/blobs/uploads/"},
			"aws ecr-public create-repository"},
		{"another answer of it", &image.RegistryError{Status: 400, URL: "https://public.ecr.aws/v2/a1/app/blobs/uploads/"}, ""},
		{"another registry", &image.RegistryError{Status: 404, URL: "https://ghcr.io/v2/org/app/blobs/uploads/"}, ""},
		{"an image behind a prefix", &image.NotFoundError{Reference: image.Reference{Registry: host, Repository: "docker-hub/library/nginx",
			Tag: "1"}}, "ecr:BatchImportUpstreamImage"},
		{"an image of its own", &image.NotFoundError{Reference: image.Reference{Registry: host, Repository: "app", Tag: "1"}}, ""},
		{"of another registry", &image.NotFoundError{Reference: image.Reference{Registry: "ghcr.io", Repository: "org/app", Tag: "1"}}, ""},
		{"a repository to push to", &missingRepository{name: "app"}, "create-repository: true"},
		{"a repository to read from", &missingRepository{name: "app", source: true}, ""},
	} {
		if got := adviceOf(c.err); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if text := (&missingRepository{name: "hub/app", source: true}).Error(); !strings.Contains(text, "HOST/hub/app:TAG") {
		t.Error(text)
	}
}
