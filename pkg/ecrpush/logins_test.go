package ecrpush_test

import (
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// TestRegistryCredentials takes an image from a registry that asks for a login, and takes it to one that asks for another.
func TestRegistryCredentials(t *testing.T) {
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	guarded := func(login string) string {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte(login))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != want {
				w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
				http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"log in"}]}`, http.StatusUnauthorized)
				return
			}
			open.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	from, to := guarded("ann:first:secret-word"), guarded("bob:second-secret-word")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	env, output := actiontest.NewTestEnv(t, map[string]string{"GITHUB_ACTIONS": "true"})
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := imagetest.TarFile(file, imagetest.Saved(imagetest.New(1, 3_000))); err != nil {
		t.Fatal(err)
	}
	in := ecrpush.Inputs{Source: file, Repository: from + "/team/app", Tags: []string{"v1"}}
	if _, err := ecrpush.Run(t.Context(), env, in); err == nil {
		t.Fatal("the registry asked for no login")
	}
	in.Credentials = map[string]string{from: "ann:first:secret-word", to: "bob:second-secret-word", "docker.io": "x:unused-secret-word"}
	pushed, err := ecrpush.Run(t.Context(), env, in)
	if err != nil {
		t.Fatal(err)
	}
	in.Source, in.Repository = pushed.Image, to+"/other/app"
	if copied, err := ecrpush.Run(t.Context(), env, in); err != nil || copied.Digest != pushed.Digest {
		t.Errorf("%+v, %v", copied, err)
	}
	text := output.Text()
	for _, secret := range []string{"first:secret-word", "second-secret-word", "unused-secret-word"} {
		if !strings.Contains(text, "::add-mask::"+secret) || strings.Count(text, secret) != strings.Count(text, "::add-mask::"+secret) {
			t.Errorf("the password %s is not masked before everything, or shown:\n%s", secret, text)
		}
	}
}

func TestRegistryCredentialsAreChecked(t *testing.T) {
	for host, c := range map[string]struct{ login, says string }{
		"ghcr.io":                   {"user:token", ""},
		"docker.io":                 {"user:pass:word", ""},
		"registry.example.com:5000": {"u:p", ""},
		"ghcr.io/org":               {"user:hidden-token", "want the registry's host"},
		"https://ghcr.io":           {"user:hidden-token", "want the registry's host"},
		"quay.io":                   {"hidden-token", "want USER:PASSWORD"},
		"gcr.io":                    {":hidden-token", "want USER:PASSWORD"},
		"azurecr.io":                {"hidden-token:", "want USER:PASSWORD"},
		"123456789012.dkr.ecr.us-west-2.amazonaws.com": {"AWS:hidden-token", "ECR is opened with the AWS credentials"},
	} {
		problems := ecrpush.Inputs{Source: "image.tar", Repository: "app", Credentials: map[string]string{host: c.login}}.Validate()
		switch {
		case c.says == "" && len(problems) > 0:
			t.Errorf("%s: %v", host, problems)
		case c.says != "" && (len(problems) != 1 || !strings.Contains(problems[0].Error(), c.says) ||
			strings.Contains(problems[0].Error(), "hidden-token")):
			t.Errorf("%s: %v, want %q", host, problems, c.says)
		}
	}
}
