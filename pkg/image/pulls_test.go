package image_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// What others pull of what is pushed here: skopeo, containerd and crane, as far as they are installed, take it from Debian's registry, in
// both codecs, of every form of a source, and with a SOCI index. containerd unpacks it, which holds every layer against the configuration.
// It needs root for that and some seconds: make pulls.
func TestPulls(t *testing.T) {
	if os.Getenv("CONNECT2_PULLS") == "" {
		t.Skip("CONNECT2_PULLS is not set")
	}
	address := dockerRegistry(t)
	pullers := pullersOf(t)
	if len(pullers) == 0 {
		t.Fatal("none of skopeo, containerd and crane is installed")
	}
	img := imagetest.New(1, 3_000_000, 200_000, 5_000)
	img.Architecture = "amd64"
	arm := imagetest.New(2, 20_000)
	arm.Architecture = "arm64"
	index, _ := imagetest.Index(img, arm)
	for form, entries := range map[string][]imagetest.Entry{
		"saved": imagetest.Saved(img), "saved25": imagetest.SavedNew(img), "layout": imagetest.Layout(img), "index": index,
	} {
		file := filepath.Join(t.TempDir(), "image.tar")
		if err := imagetest.TarFile(file, entries); err != nil {
			t.Fatal(err)
		}
		for _, codec := range []string{"", "gzip", "zstd", "soci"} {
			if form == "index" && codec != "" && codec != "gzip" {
				continue // its images' digests cannot change
			}
			ref := fmt.Sprintf("%s/pulls/%s-%s:v1", address, form, codec+"x")
			pushAs(t, file, ref, codec)
			for name, pull := range pullers {
				t.Run(fmt.Sprintf("%s, %s, by %s", form, codec, name), func(t *testing.T) { pull(t, ref) })
			}
		}
	}
}

// pushAs pushes in a codec, or with a SOCI index.
func pushAs(t *testing.T, source, ref, codec string) {
	t.Helper()
	repository, tag, _ := cutLast(ref, ":")
	rs := &image.Registries{}
	src, err := image.Open(t.Context(), source, image.OpenOptions{Registries: rs})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	options := image.PlanOptions{Tags: []string{tag}}
	if codec == "soci" {
		err = src.MakeLazy(t.Context(), func(image.Event) {})
	} else {
		options.Codec = image.Codec(codec)
	}
	if err != nil {
		t.Fatal(err)
	}
	to, err := rs.Destination(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := image.NewPlan(t.Context(), src, to, options)
	if err == nil {
		_, err = plan.Execute(t.Context())
	}
	if err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// pullersOf returns how those that are installed pull an image.
func pullersOf(t *testing.T) map[string]func(*testing.T, string) {
	all := map[string]func(*testing.T, string){}
	if program, err := exec.LookPath("skopeo"); err == nil {
		all["skopeo"] = func(t *testing.T, ref string) {
			run(t, program, "copy", "--insecure-policy", "--src-tls-verify=false", "--override-arch=amd64", "docker://"+ref,
				"dir:"+filepath.Join(t.TempDir(), "copy"))
		}
	}
	if program, err := exec.LookPath("crane"); err == nil {
		all["crane"] = func(t *testing.T, ref string) {
			run(t, program, "pull", "--insecure", "--platform", "linux/amd64", "--format", "oci", ref, filepath.Join(t.TempDir(), "copy"))
			if !strings.Contains(ref, "zstd") { // its validation knows gzip alone
				run(t, program, "validate", "--insecure", "--platform", "linux/amd64", "--remote", ref)
			}
		}
	}
	if ctr, err := exec.LookPath("ctr"); err == nil && os.Getuid() == 0 {
		socket := startContainerd(t)
		all["containerd"] = func(t *testing.T, ref string) {
			run(t, ctr, "--address", socket, "images", "pull", "--plain-http", "--snapshotter", "native", "--platform", "linux/amd64", ref)
			run(t, ctr, "--address", socket, "images", "check", "--snapshotter", "native", "name=="+ref)
		}
	}
	return all
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
}

// startContainerd starts one of its own, with nothing but what a pull needs, and returns its socket.
func startContainerd(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pulls-*") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	config := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n",
		filepath.Join(dir, "root"), filepath.Join(dir, "state"), socket)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "containerd", "--config", config)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
	})
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(50 * time.Millisecond) {
		if exec.Command("ctr", "--address", socket, "version").Run() == nil {
			return socket
		}
	}
	stop()
	_ = cmd.Wait()
	t.Fatalf("containerd does not answer after 30 s:\n%s", log.String())
	return ""
}
