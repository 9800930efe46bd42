// Command publish makes what a release consists of, and writes its image into the actions. The workflow release.yml runs it.
//
//	go run ./internal/gen/publish build --version v2.1.0 --out dist    binaries, their checksums, and the actions' image
//	go run ./internal/gen/publish pin --version v2.1.0 --repository org/connect2 --sums dist/SHA256SUMS \
//	  --image ghcr.io/org/connect2@sha256:… --terraform-image ghcr.io/org/connect2-terraform@sha256:…
//	go run ./internal/gen/publish pin-workflows --version v2.1.0 --commit SHA    once that is committed
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"time"
)

const usage = "usage: publish build|pin|pin-workflows --version vX.Y.Z ..., with --help for the flags"

// versionForm is what a release is called. A pre-release is none: v2 would move to it.
var versionForm = regexp.MustCompile(`^v2\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "publish:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	flags := flag.NewFlagSet("publish "+args[0], flag.ExitOnError)
	root := flags.String("root", ".", "the repository's root")
	version := flags.String("version", "", "the release, vX.Y.Z")
	switch args[0] {
	case "build":
		b := build{targets: released, rotation: true}
		flags.StringVar(&b.out, "out", "dist", "folder for the results")
		flags.StringVar(&b.revision, "revision", "", "the commit, for the image's labels")
		flags.StringVar(&b.authorities, "authorities", "/etc/ssl/certs/ca-certificates.crt", "certificates of public authorities for the image")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		b.root, b.version = *root, *version
		var err error
		if b.created, err = sourceDate(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
			return err
		}
		return b.run(ctx)
	case "pin":
		p := pin{images: map[string]string{}}
		image := flags.String("image", "", "the image of Dockerfile, NAME@sha256:…")
		terraform := flags.String("terraform-image", "", "the image of Dockerfile.terraform, NAME@sha256:…")
		flags.StringVar(&p.repository, "repository", "", "OWNER/NAME of the repository that has the release")
		sums := flags.String("sums", "dist/SHA256SUMS", "the checksums of the binaries")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		text, err := os.ReadFile(*sums)
		if err != nil {
			return err
		}
		p.root, p.version, p.sums = *root, *version, string(text)
		p.images["Dockerfile"], p.images["Dockerfile.terraform"] = *image, *terraform
		return list(p.write())
	case "pin-workflows":
		commit := flags.String("commit", "", "the commit whose actions the workflows use")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return list(pinWorkflows(*root, *version, *commit))
	default:
		return fmt.Errorf("%q is not a command: %s", args[0], usage)
	}
}

// list prints what was changed.
func list(changed []string, err error) error {
	for _, path := range changed {
		fmt.Println(path)
	}
	return err
}

// sourceDate reads SOURCE_DATE_EPOCH, the seconds since 1970 that every date in the results is taken from
// (https://reproducible-builds.org/specs/source-date-epoch). The time of the build would make two builds differ.
func sourceDate(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func checkVersion(version string) error {
	if !versionForm.MatchString(version) {
		return fmt.Errorf("--version %q: a release of this module is called v2.MINOR.PATCH", version)
	}
	return nil
}
