package ecrpush

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/org/connect2/v2/pkg/image"
)

// logins are the credentials of registries by host, as registry-credentials has them: USER:PASSWORD. They go before what
// `docker login` left, which an action's container does not see.
type logins map[string]string

// check returns what is wrong with them. A value is never told.
func (l logins) check() (problems []error) {
	for _, host := range slices.Sorted(maps.Keys(l)) {
		problem := func(text string) { problems = append(problems, fmt.Errorf("registry-credentials: %q: %s", host, text)) }
		user, password, _ := strings.Cut(l[host], ":")
		if _, err := name.NewRegistry(host, name.StrictValidation); err != nil || strings.Contains(host, "/") {
			problem("want the registry's host, such as ghcr.io, docker.io or registry.example.com:5000, and =USER:PASSWORD after it")
		} else if _, ok := image.ParseECRHost(host); ok {
			problem("ECR is opened with the AWS credentials of the run: leave it out")
		}
		if user == "" || password == "" {
			problem("want USER:PASSWORD after the =")
		}
	}
	return problems
}

// secrets are what must not be shown.
func (l logins) secrets() (all []string) {
	for _, login := range l {
		if _, password, _ := strings.Cut(login, ":"); password != "" {
			all = append(all, password)
		}
	}
	return all
}

// keychain returns these logins, and Docker's configuration for other registries.
func (l logins) keychain() authn.Keychain {
	if len(l) == 0 {
		return authn.DefaultKeychain
	}
	return authn.NewMultiKeychain(l, authn.DefaultKeychain)
}

// Resolve implements authn.Keychain.
func (l logins) Resolve(target authn.Resource) (authn.Authenticator, error) {
	for host, login := range l {
		if hubOf(host) == hubOf(target.RegistryStr()) {
			user, password, _ := strings.Cut(login, ":")
			return authn.FromConfig(authn.AuthConfig{Username: user, Password: password}), nil
		}
	}
	return authn.Anonymous, nil
}

// hubOf brings the names of Docker Hub to one.
func hubOf(host string) string {
	switch host = strings.ToLower(host); host {
	case "docker.io", "index.docker.io", "registry-1.docker.io":
		return name.DefaultRegistry
	}
	return host
}
