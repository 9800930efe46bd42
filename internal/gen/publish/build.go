package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// build makes the files of a release. The same commit, toolchain and certificates give the same bytes.
type build struct {
	root, out, version, revision, authorities string
	created                                   time.Time
	targets                                   []target
	rotation                                  bool // whether the rotation function is part of it
}

// rotationZip is the file of the rotation function, which the module secret-rotation makes of cmd/rotate-credentials.
const rotationZip = "rotate-credentials.zip"

// target is a program for a platform.
type target struct{ program, system, architecture string }

// The actions run in Linux containers; connect2 is for terminals and for runners without Docker as well. All are compiled on one
// machine: Go needs no emulation for another one's.
var released = []target{
	{"action", "linux", "amd64"}, {"action", "linux", "arm64"}, {"tf-apply", "linux", "amd64"}, {"tf-apply", "linux", "arm64"},
	{"connect2", "linux", "amd64"}, {"connect2", "linux", "arm64"}, {"connect2", "darwin", "amd64"}, {"connect2", "darwin", "arm64"},
}

// attached says whether people download it from the release; the others are in the images.
func (t target) attached() bool { return t.program == "connect2" }

func (t target) file() string { return t.program + "_" + t.system + "_" + t.architecture }

func (b build) run(ctx context.Context) error {
	if err := checkVersion(b.version); err != nil {
		return err
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	var platforms []platform
	for _, t := range b.targets {
		path := filepath.Join(b.out, t.file())
		if err := b.compile(ctx, t, path); err != nil {
			return err
		}
		if t.program == "action" {
			platforms = append(platforms, platform{architecture: t.architecture, binary: path})
		}
		if !t.attached() {
			continue
		}
		sum, err := sumOf(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, t.file())
	}
	if b.rotation {
		sum, err := b.zip(ctx, filepath.Join(b.out, rotationZip))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, rotationZip)
	}
	if err := os.WriteFile(filepath.Join(b.out, "SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		return err
	}
	digest, err := b.image(platforms, filepath.Join(b.out, "image"))
	if err != nil {
		return fmt.Errorf("making the image: %w", err)
	}
	fmt.Printf("digest=%s\n", digest)
	return nil
}

// compile links a program without what differs from machine to machine: paths, the state of the checkout, a build id.
func (b build) compile(ctx context.Context, t target, to string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -buildid= -X github.com/org/connect2/v2/pkg/action.version="+b.version, "-o", to, "./cmd/"+t.program)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.system, "GOARCH="+t.architecture, "GOAMD64=v1", "GOARM64=v8.0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", t.file(), err, out)
	}
	return nil
}

// zip has the rotation function built by its module's own script, so that what is released is what the script builds anywhere.
func (b build) zip(ctx context.Context, to string) (sum string, err error) {
	to, err = filepath.Abs(to)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.root, "terraform/modules/secret-rotation/build"), to)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", rotationZip, err, out)
	}
	return sumOf(to)
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
