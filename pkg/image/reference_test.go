package image

import (
	"strings"
	"testing"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	ecrBase = "123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev:v1"
)

func TestComplete(t *testing.T) {
	const registry = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
	for _, c := range []struct{ input, base, want string }{
		{"v2", ecrBase, registry + "/connect2-api-dev:v2"},
		{":v2", ecrBase, registry + "/connect2-api-dev:v2"},
		{" 20260101-1\n", ecrBase, registry + "/connect2-api-dev:20260101-1"},
		{digestA, ecrBase, registry + "/connect2-api-dev@" + digestA},
		{"@" + digestA, ecrBase, registry + "/connect2-api-dev@" + digestA},
		{"other@" + digestA, ecrBase, registry + "/other@" + digestA},
		{"team/other@" + digestA, ecrBase, registry + "/team/other@" + digestA},
		{"other:v3", ecrBase, registry + "/other:v3"},
		{"team/other:v3", ecrBase, registry + "/team/other:v3"},
		{"other:v3@" + digestA, ecrBase, registry + "/other@" + digestA},
		{"docker.io/library/nginx:1.29", ecrBase, "docker.io/library/nginx:1.29"},
		{"docker.io/nginx:1.29", ecrBase, "docker.io/library/nginx:1.29"},
		{"ghcr.io/org/app:v1", "", "ghcr.io/org/app:v1"},
		{"localhost:5000/app:v1", "", "localhost:5000/app:v1"},
		{"localhost/app:v1", "", "localhost/app:v1"},
		{"[::1]:5000/app:v1", "", "[::1]:5000/app:v1"},
		{"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app@" + digestA, "",
			"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app@" + digestA},
		{"v2", "grafana/grafana", "docker.io/grafana/grafana:v2"},
		{"docker.io/nginx:v2", "nginx", "docker.io/library/nginx:v2"},
		{"v2", "127.0.0.1:4566/connect2-api-dev@" + digestA, "127.0.0.1:4566/connect2-api-dev:v2"},
	} {
		got, err := Complete(c.input, c.base)
		if err != nil || got.String() != c.want {
			t.Errorf("Complete(%q, %q) = %q, %v; want %q", c.input, c.base, got.String(), err, c.want)
		}
	}
}

func TestCompleteRefuses(t *testing.T) {
	for _, c := range []struct{ input, base, word string }{
		{"", ecrBase, "blanks outputs"},
		{"***.dkr.ecr.us-west-2.amazonaws.com/app:v1", ecrBase, "masked value"},
		{"v2", "", "nothing usable to complete it from"},
		{"v2", "nginx:latest", "nginx:latest in the task definition only holds the place"},
		{digestA, "public.ecr.aws/nginx/nginx:stable", "only holds the place"},
		{"app:v2", "nginx", "only holds the place"},
		{"v2", "Not A Reference", "nothing usable to complete it from"},
		{"sha256:abc", ecrBase, "not a digest"},
		{"@v1", ecrBase, "not a digest"},
		{"app@v1", ecrBase, "not a digest"},
		{"-v2", ecrBase, "not a tag"},
		{strings.Repeat("a", 129), ecrBase, "not a tag"},
		{"ghcr.io/org/app", "", "name a tag or a digest"},
		{"team/app", ecrBase, "name a tag or a digest"},
		{"ghcr.io/Org/App:v1", "", "not a repository name"},
		{"ghcr.io/:v1", "", "not a repository name"},
		{"bad_host_.io:x/app:v1", "", "not a registry host"},
	} {
		if got, err := Complete(c.input, c.base); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("Complete(%q, %q) = %q, %v; want an error with %q", c.input, c.base, got.String(), err, c.word)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	for image, want := range map[string]bool{
		"nginx": true, "nginx:latest": true, "library/httpd:2.4": true, "docker.io/library/busybox@" + digestA: true,
		"index.docker.io/library/nginx:1": true, "registry-1.docker.io/library/nginx:1": true, "amazon/amazon-ecs-sample": true,
		"public.ecr.aws/docker/library/nginx:1": true, "mcr.microsoft.com/dotnet/samples:aspnetapp": true, "traefik/whoami": true,
		"traefik/whoami2": false, "grafana/grafana:11": false, "public.ecr.aws/a1b2c3/app:1": false, ecrBase: false, "": false,
		"registry.example.com/library/nginx:1": false, "localhost:5000/nginx": false,
	} {
		if got := IsPlaceholder(image); got != want {
			t.Errorf("IsPlaceholder(%q) = %v", image, got)
		}
	}
	for _, bases := range [][]string{{"nginx:latest", ecrBase}, {"", ecrBase}, {ecrBase, "nginx"}} {
		got, err := Complete("v2", bases...)
		if want := strings.TrimSuffix(ecrBase, ":v1") + ":v2"; err != nil || got.String() != want {
			t.Errorf("%v: %s, %v; want %s", bases, got, err, want)
		}
	}
}

func TestParseECRHost(t *testing.T) {
	for host, want := range map[string]ECRHost{
		"123456789012.dkr.ecr.us-west-2.amazonaws.com":          {Account: "123456789012", Region: "us-west-2"},
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": {Account: "123456789012", Region: "us-gov-west-1", FIPS: true},
		"123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn":  {Account: "123456789012", Region: "cn-northwest-1"},
		"123456789012.dkr-ecr.eu-west-1.on.aws":                 {Account: "123456789012", Region: "eu-west-1", DualStack: true},
		"123456789012.dkr-ecr-fips.us-east-1.on.aws": {Account: "123456789012", Region: "us-east-1",
			FIPS: true, DualStack: true},
		"123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn": {Account: "123456789012", Region: "cn-north-1", DualStack: true},
		"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu":            {Account: "123456789012", Region: "eusc-de-east-1"},
		"123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov":               {Account: "123456789012", Region: "us-iso-east-1"},
	} {
		if got, ok := ParseECRHost(host); !ok || got != want {
			t.Errorf("ParseECRHost(%q) = %+v, %v; want %+v", host, got, ok, want)
		}
	}
	for _, host := range []string{
		"public.ecr.aws", "ghcr.io", "12345.dkr.ecr.us-west-2.amazonaws.com", "123456789012.dkr.ecr.us-west-2.amazonaws.com.evil.example",
		"123456789012.dkr-ecr.us-west-2.amazonaws.com", "123456789012.dkr.ecr.us-west-2.on.aws",
	} {
		if got, ok := ParseECRHost(host); ok {
			t.Errorf("ParseECRHost(%q) = %+v; want it refused", host, got)
		}
	}
}

func FuzzComplete(f *testing.F) {
	for _, s := range []string{"v1", "@" + digestA, "a/b:c@" + digestA, "localhost:5000/x:y", "[::1]/x:y", ":", "@", "/", "a//b"} {
		f.Add(s, ecrBase)
	}
	f.Fuzz(func(t *testing.T, input, base string) {
		r, err := Complete(input, base)
		if err != nil {
			return
		}
		// What was accepted must survive being written down and read again.
		again, err := ParseReference(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("Complete(%q, %q) = %q, which reads back as %q, %v", input, base, r, again, err)
		}
	})
}
