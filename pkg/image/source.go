package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/internal/nearest"
)

// Kind says what a source is, in words for messages.
type Kind string

// The kinds of sources.
const (
	Layout       Kind = "OCI layout"
	LayoutTar    Kind = "OCI layout archive"
	DockerSave   Kind = "docker save archive"
	Daemon       Kind = "Docker daemon"
	RegistryCopy Kind = "registry"
)

// Source is an image, or a multi-platform index of images, that was read and checked as far as that goes without reading the
// layers. Close frees its files.
type Source struct {
	Name  string // as it was written
	Kind  Kind
	Notes []string // what the user should know about what was taken

	root      *node
	opened    v1.Hash         // the digest that it has in the source, whatever it is stored as; zero where it has none
	referrers *foundReferrers // what refers to it; nil where a source of this kind has nothing
	from      *Repository     // of a registry source
	closer    io.Closer
}

// Close frees what the source holds open.
func (s *Source) Close() error {
	if s == nil || s.closer == nil {
		return nil
	}
	return s.closer.Close()
}

// Digest returns the digest under which the image will be stored. It is not known before its layers are compressed (ok is
// false) when they are stored uncompressed and no registry manifest covers them.
func (s *Source) Digest() (digest string, ok bool) {
	if s.root.raw == nil {
		return "", false
	}
	return s.root.desc.Digest.String(), true
}

// ImageID returns the digest of the image's configuration, which Docker calls the image's ID; empty for an index.
func (s *Source) ImageID() string { return s.root.imageID() }

// Platforms returns the platforms of an index's images, or of the one image where its configuration is at hand.
func (s *Source) Platforms() []string {
	var out []string
	for _, c := range s.root.children {
		if c.desc.Platform != nil && runnable(c.desc) {
			out = append(out, c.desc.Platform.String())
		}
	}
	if len(s.root.children) == 0 && s.root.platform != "" {
		out = append(out, s.root.platform)
	}
	return out
}

// node is a manifest or an index, with all that has to be in the repository before it.
type node struct {
	desc     v1.Descriptor // without digest and size as long as raw is nil
	raw      []byte        // nil while layers have to be compressed first
	children []*node       // of an index, in its order
	config   Blob          // of a manifest
	layers   []layer
	platform string // of a single image, where its configuration was read
	template []byte // the manifest to keep the rest of when layers are replaced; nil makes a new one
}

// layer is one layer of an image.
type layer struct {
	Blob                 // as it is stored; without digest while it has to be compressed
	diffID       v1.Hash // of the uncompressed content; known for layers that have to be compressed
	uncompressed int64   // about how many bytes Open yields when it has to be compressed, at least 1; else 0
	name         string  // of its file, where the source has it under a name that does not follow from its digest
	proof        *proof  // of what is compressed and not told by the source's digests; nil where its digest says enough
}

// mustCompress says whether Open yields the uncompressed content: it is not to be sent as it is, whatever digest is known for it.
func (l layer) mustCompress() bool { return l.uncompressed > 0 }

func (n *node) imageID() string {
	if n.config.Digest == (v1.Hash{}) {
		return ""
	}
	return n.config.Digest.String()
}

// walk calls do for the node and all below it, children first, each digest once.
func (n *node) walk(do func(*node)) {
	seen := map[v1.Hash]bool{}
	var visit func(*node)
	visit = func(n *node) {
		if n.raw != nil && seen[n.desc.Digest] {
			return
		}
		seen[n.desc.Digest] = true
		for _, c := range n.children {
			visit(c)
		}
		do(n)
	}
	visit(n)
}

// OpenOptions says what to take of a source.
type OpenOptions struct {
	Platform   string      // "linux/arm64": only this image of an index; empty takes all
	Registries *Registries // for registry sources
	DaemonHost string      // the Docker daemon, as DOCKER_HOST writes it; empty is the local socket
}

// blame names the source where an error is about what it holds.
func (s *Source) blame(err error) error {
	if Hopeless(err) && s.Name != "" {
		return fmt.Errorf("source %q: %w", s.Name, err)
	}
	return err
}

// Open reads a source and checks its structure, completely but for the content of the layers. What it takes:
//
//   - a folder with an OCI layout, or a tar of one, plain or compressed with gzip, bzip2, xz or Zstandard;
//   - an archive as docker save writes it, of old (manifest.json) and new (index.json as well, whose digests, indexes and
//     attestations are kept);
//   - docker://NAME, an image of the Docker daemon;
//   - a full registry reference, such as ghcr.io/org/app:v1.
//
// PATH#NAME chooses one of several images in a layout or archive by its name, tag or digest.
func Open(ctx context.Context, name string, o OpenOptions) (*Source, error) {
	s, err := open(ctx, name, o)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", name, err)
	}
	s.Name = name
	return s, nil
}

func open(ctx context.Context, name string, o OpenOptions) (*Source, error) {
	if image, ok := strings.CutPrefix(name, "docker://"); ok {
		return openDaemon(ctx, image, o)
	}
	location, choice := name, ""
	info, err := os.Stat(location)
	if err != nil {
		if i := strings.LastIndexByte(name, '#'); i > 0 {
			location, choice = name[:i], name[i+1:]
			info, err = os.Stat(location)
		}
	}
	switch {
	case err == nil && info.IsDir():
		return openFolder(ctx, location, choice, o)
	case err == nil && info.Mode().IsRegular():
		t, err := openArchive(location)
		if err != nil {
			return nil, err
		}
		return openFiles(ctx, t, choice, o, LayoutTar)
	case err == nil:
		return nil, fmt.Errorf("it is neither a file nor a folder (%s)", info.Mode().Type())
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case isPath(name):
		return nil, fmt.Errorf("there is no such file or folder%s", besides(location))
	}
	ref, err := ParseReference(strings.TrimPrefix(name, "registry://"))
	host, _, ok := strings.Cut(name, "/")
	if err != nil || !ok || !looksLikeHost(host) && !strings.HasPrefix(name, "registry://") {
		return nil, fmt.Errorf("it is not a file or folder%s, not docker://NAME, and not a full registry reference (HOST/NAME:TAG)",
			besides(location))
	}
	return openRegistry(ctx, ref, o)
}

// isPath says whether a source that does not exist was meant as a path.
func isPath(name string) bool {
	switch {
	case strings.HasPrefix(name, "/"), strings.HasPrefix(name, "./"), strings.HasPrefix(name, "../"), strings.HasSuffix(name, "/"):
		return true
	case strings.HasSuffix(name, ".tar"), strings.HasSuffix(name, ".tgz"), strings.Contains(name, ".tar."):
		return true
	default:
		return !strings.ContainsAny(name, "/:")
	}
}

// besides names what could have been meant instead of a missing path, and where it was looked for.
func besides(name string) string {
	dir := filepath.Dir(name)
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Sprintf(" (nor is there a folder %s)", abs)
	}
	var candidates []string
	for _, e := range entries {
		if e.IsDir() || strings.Contains(e.Name(), ".tar") || strings.HasSuffix(e.Name(), ".tgz") {
			candidates = append(candidates, e.Name())
		}
	}
	if near := nearest.Some(filepath.Base(name), candidates, 3); len(near) > 0 {
		return fmt.Sprintf(" (%s has %s)", abs, strings.Join(near, ", "))
	}
	return fmt.Sprintf(" (looked in %s)", abs)
}

func openFolder(ctx context.Context, location, choice string, o OpenOptions) (*Source, error) {
	root, err := os.OpenRoot(location)
	if err != nil {
		return nil, err
	}
	return openFiles(ctx, folder{root}, choice, o, Layout)
}

// openFiles tells what kind of image some files are, and reads it. It closes the files when that fails.
func openFiles(ctx context.Context, from files, choice string, o OpenOptions, layoutKind Kind) (s *Source, err error) {
	defer func() {
		if err != nil {
			from.Close()
		}
	}()
	index, indexErr := readSmall(from, "index.json")
	list, listErr := readSmall(from, "manifest.json")
	switch {
	case indexErr == nil:
		s, err = readLayout(ctx, from, index, choice, o)
		if s != nil {
			s.Kind = layoutKind
			if listErr == nil {
				s.Kind = DockerSave
			}
		}
	case !errors.Is(indexErr, fs.ErrNotExist):
		return nil, indexErr
	case listErr == nil:
		s, err = readDockerSave(from, list, choice, o)
	case !errors.Is(listErr, fs.ErrNotExist):
		return nil, listErr
	default:
		return nil, noImage(from, layoutKind)
	}
	if err != nil {
		return nil, err
	}
	s.closer = from
	return s, nil
}

// noImage says what was found where an image was expected.
func noImage(from files, kind Kind) error {
	found := "it is empty"
	if top := from.top(); len(top) > 0 {
		shown := top[:min(6, len(top))]
		found = "it holds " + strings.Join(shown, ", ")
		if len(top) > len(shown) {
			found += fmt.Sprintf(" and %d more", len(top)-len(shown))
		}
		if slices.Contains(top, "Dockerfile") {
			found += "; a build context has to be built first"
		}
	}
	if kind == Layout {
		return fmt.Errorf("the folder is not an OCI layout: it has neither index.json nor manifest.json (%s)", found)
	}
	hint := ""
	if t, ok := from.(*tarball); ok && !t.ended {
		hint = fmt.Sprintf("; the archive ends at byte %d without an end mark, so it may be cut short", t.size)
	}
	return fmt.Errorf("the archive is not an image: it has neither index.json nor manifest.json (%s%s)", found, hint)
}

// configOf reads what is needed of an image's configuration.
func configOf(raw []byte) (diffIDs []v1.Hash, platform string, err error) {
	var c struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
		RootFS       struct {
			DiffIDs []v1.Hash `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, "", jsonError(raw, err)
	}
	if c.OS != "" {
		platform = v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}.String()
	}
	return c.RootFS.DiffIDs, platform, nil
}

// samePlatform says whether an image of this platform is what was asked for: equal, or equal but for a variant not asked for.
func samePlatform(asked string, p *v1.Platform) bool {
	want, err := v1.ParsePlatform(asked)
	return err == nil && p != nil && want.OS == p.OS && want.Architecture == p.Architecture &&
		(want.Variant == "" || want.Variant == p.Variant)
}

// checkPlatform refuses a single image that is of another platform than the one asked for.
func checkPlatform(asked, has string) error {
	if asked == "" || has == "" {
		return nil
	}
	if p, err := v1.ParsePlatform(has); err == nil && samePlatform(asked, p) {
		return nil
	}
	return fmt.Errorf("the image is for %s, not for %s", has, asked)
}

// isUncompressed says whether a manifest lists a layer as plain tar, as docker save of the classic image store does.
func isUncompressed(t types.MediaType) bool {
	return t == types.OCIUncompressedLayer || t == types.DockerUncompressedLayer
}

// isForeign says whether a layer is meant to be fetched from elsewhere and not stored with the image.
func isForeign(d v1.Descriptor) bool {
	return len(d.URLs) > 0 || !d.MediaType.IsDistributable()
}
