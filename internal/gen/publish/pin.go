package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	imageLine   = regexp.MustCompile(`(?m)^(  image: )(?:(?:\.\./)*(Dockerfile[\w.]*)|docker://\S+)$`)
	dockerUsing = regexp.MustCompile(`(?m)^  using: docker$`)
	ownUse      = regexp.MustCompile(`(?m)^(.*\buses: org/connect2)(/\S+)?@v2$`)
	pinned      = regexp.MustCompile(`^[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}$`)
	checksum    = regexp.MustCompile(`^[0-9a-f]{64}  (?:connect2_[a-z0-9]+_[a-z0-9]+|rotate-credentials\.zip)$`)
	commitForm  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	ownerName   = regexp.MustCompile(`^[\w.-]+/[\w.-]+$`)
)

// setupRelease and rotationRelease are the files by which actions/setup and the module secret-rotation know their release.
const (
	setupRelease    = "actions/setup/release"
	rotationRelease = "terraform/modules/secret-rotation/release"
)

// pin is what the first commit of a release changes: every action names its released image by digest, and actions/setup and the
// module secret-rotation the repository, the version and the checksums of what they download.
type pin struct {
	root, version, repository string
	images                    map[string]string // an image for each Dockerfile that an action names
	sums                      string            // SHA256SUMS of what is attached to the release
}

// write returns what it changed. All is checked before anything is written.
func (p pin) write() (changed []string, err error) {
	if err := checkVersion(p.version); err != nil {
		return nil, err
	}
	actions, err := globAll(p.root, "action.yml", "actions/*/action.yml")
	if err != nil {
		return nil, err
	}
	if len(actions) == 0 {
		return nil, fmt.Errorf("%s: no actions are here: --root is the repository's root", p.root)
	}
	release, err := p.release()
	if err != nil {
		return nil, err
	}
	rewritten := map[string]string{filepath.Join(p.root, setupRelease): release, filepath.Join(p.root, rotationRelease): release}
	for _, file := range actions {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		after, err := pinAction(string(text), p.images)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if after != string(text) {
			rewritten[file] = after
		}
	}
	return writeAll(rewritten)
}

// release is what both files say: the repository, the version, and a line of each file to download with its checksum.
func (p pin) release() (string, error) {
	if !ownerName.MatchString(p.repository) {
		return "", fmt.Errorf("--repository %q is not OWNER/NAME", p.repository)
	}
	var names []string
	for line := range strings.Lines(p.sums) {
		line = strings.TrimSuffix(line, "\n")
		if !checksum.MatchString(line) {
			return "", fmt.Errorf("the checksums have the line %q", line)
		}
		names = append(names, line[66:])
	}
	var missing []string
	for _, t := range released {
		if t.attached() && !slices.Contains(names, t.file()) {
			missing = append(missing, t.file())
		}
	}
	if !slices.Contains(names, rotationZip) {
		missing = append(missing, rotationZip)
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("the checksums lack %s", strings.Join(missing, ", "))
	}
	return fmt.Sprintf("repository %s\nversion %s\n%s", p.repository, p.version, p.sums), nil
}

// pinAction replaces the Dockerfile of an action by its released image. An action that runs no container stays.
func pinAction(text string, images map[string]string) (string, error) {
	found := imageLine.FindAllStringSubmatch(text, -1)
	if !dockerUsing.MatchString(text) && len(found) == 0 {
		return text, nil
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d lines name an image, want 1", len(found))
	}
	name := found[0][2]
	if name == "" {
		return "", fmt.Errorf("it names a released image already: %s", found[0][0])
	}
	image := images[name]
	if !pinned.MatchString(image) {
		return "", fmt.Errorf("the image of %s is %q, want NAME@sha256:…", path.Base(name), image)
	}
	return imageLine.ReplaceAllString(text, "${1}docker://"+image), nil
}

// pinWorkflows is what the second commit of a release changes: the workflows name this repository's actions by the first commit,
// whose SHA a commit cannot hold itself. So whoever must pin everything to commits can, and gets the same bytes for ever. It
// returns what it changed.
func pinWorkflows(root, version, commit string) (changed []string, err error) {
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	if !commitForm.MatchString(commit) {
		return nil, fmt.Errorf("--commit %q is not a commit's 40 digits", commit)
	}
	workflows, err := globAll(root, ".github/workflows/*.yml")
	if err != nil {
		return nil, err
	}
	if len(workflows) == 0 {
		return nil, fmt.Errorf("%s: no workflows are here: --root is the repository's root", root)
	}
	rewritten := map[string]string{}
	for _, file := range workflows {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		after, err := pinWorkflow(string(text), version, commit)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if after != string(text) {
			rewritten[file] = after
		}
	}
	return writeAll(rewritten)
}

// pinWorkflow replaces the moving tag of this repository's own actions by a commit with the release beside it, and in comments by
// the release. A workflow cannot name another one of the same commit, so none may use one by the tag.
func pinWorkflow(text, version, commit string) (string, error) {
	var wrong []string
	text = ownUse.ReplaceAllStringFunc(text, func(line string) string {
		m := ownUse.FindStringSubmatch(line)
		before, path := m[1], m[2]
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "#"):
			return before + path + "@" + version
		case strings.HasPrefix(path, "/.github/"):
			wrong = append(wrong, strings.TrimSpace(line))
			return line
		}
		return before + path + "@" + commit + " # " + version
	})
	if len(wrong) > 0 {
		return "", fmt.Errorf("a workflow of this repository is used by its moving tag, which no release can pin: %s; "+
			"name it ./.github/workflows/…", strings.Join(wrong, "; "))
	}
	return text, nil
}

func writeAll(texts map[string]string) (changed []string, err error) {
	for file, text := range texts {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return changed, err
		}
		changed = append(changed, file)
	}
	slices.Sort(changed)
	return changed, nil
}

func globAll(root string, patterns ...string) ([]string, error) {
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}
