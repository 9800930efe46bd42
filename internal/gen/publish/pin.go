package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
)

var (
	imageLine = regexp.MustCompile(`(?m)^(  image: )(?:(?:\.\./)*(Dockerfile[\w.]*)|docker://\S+)$`)
	ownUse    = regexp.MustCompile(`(?m)(\buses: org/connect2/\S+@)v2$`)
	pinned    = regexp.MustCompile(`^[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}$`)
)

// pin writes the released images into every action, and the release into the workflows that use the actions, so that
// whoever names a release by tag or commit gets its bytes for ever. images has an image for each Dockerfile that an action
// names. It returns what it changed. All is checked before anything is written.
func pin(root, version string, images map[string]string) (changed []string, err error) {
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	actions, err := globAll(root, "action.yml", "actions/*/action.yml")
	if err != nil {
		return nil, err
	}
	workflows, err := globAll(root, ".github/workflows/*.yml")
	if err != nil {
		return nil, err
	}
	if len(actions) == 0 || len(workflows) == 0 {
		return nil, fmt.Errorf("%s: no actions or no workflows are here: --root is the repository's root", root)
	}
	rewritten := map[string]string{}
	for _, file := range actions {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if rewritten[file], err = pinAction(string(text), images); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, file := range workflows {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if after := pinWorkflow(string(text), version); after != string(text) {
			rewritten[file] = after
		}
	}
	for _, file := range slices.Concat(actions, workflows) {
		text, ok := rewritten[file]
		if !ok {
			continue
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return changed, err
		}
		changed = append(changed, file)
	}
	return changed, nil
}

// pinAction replaces the Dockerfile of an action by its released image.
func pinAction(text string, images map[string]string) (string, error) {
	found := imageLine.FindAllStringSubmatch(text, -1)
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

// pinWorkflow replaces the moving tag of this repository's own actions and workflows by the release.
func pinWorkflow(text, version string) string { return ownUse.ReplaceAllString(text, "${1}"+version) }

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
