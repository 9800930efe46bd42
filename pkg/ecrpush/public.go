package ecrpush

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/org/connect2/v2/pkg/image"
)

// publicECR is the registry of Amazon ECR Public. It is another service than ECR, with logins of its own, which are asked for in
// us-east-1 alone.
const publicECR = "public.ecr.aws"

// publicLoginError says that a push to ECR Public has no login.
type publicLoginError struct{ repository string }

// Error says where one is to be had.
func (e *publicLoginError) Error() string {
	return fmt.Sprintf("repository %s: %s takes a login to push, also with AWS credentials: give registry-credentials %s=AWS:PASSWORD, "+
		"where PASSWORD is what `aws ecr-public get-login-password --region us-east-1` prints (which takes the permissions "+
		"ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken)", e.repository, publicECR, publicECR)
}

// checkPublic returns what is wrong with the names of repositories on ECR Public: each is below its registry's alias.
func checkPublic(input string, names ...string) (problems []error) {
	for _, name := range names {
		if at, err := image.ParseRepositoryName(name); err == nil && at.Host == publicECR && !strings.Contains(at.Name, "/") {
			problems = append(problems, fmt.Errorf("%s: %q lacks the alias of the registry: %s/ALIAS/%s", input, name, publicECR, at.Name))
		}
	}
	return problems
}

// publicLogin refuses a push to ECR Public for which there is no login, before anything is read.
func publicLogin(logins authn.Keychain, repositories ...string) error {
	for _, repository := range repositories {
		at, err := image.ParseRepositoryName(repository)
		if err != nil || at.Host != publicECR {
			continue
		}
		registry, err := name.NewRegistry(publicECR)
		if err != nil {
			return err
		}
		if login, err := logins.Resolve(registry); err == nil && login == authn.Anonymous {
			return &publicLoginError{repository}
		}
	}
	return nil
}

// atPublic says whether a registry's refusal is ECR Public's.
func atPublic(e *image.RegistryError) bool { return strings.HasPrefix(e.URL, "https://"+publicECR+"/") }
