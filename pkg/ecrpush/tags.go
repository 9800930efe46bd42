package ecrpush

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/image"
)

// known are the values that tags may have placeholders for.
type known struct {
	sha    string // the run's commit
	branch string // as it is written
	day    time.Time
}

// placeholders are what stands for a value in a tag.
var placeholders = []struct {
	name    string
	value   func(known) string
	missing string // what to do where there is no value
}{
	{"{sha}", func(k known) string { return k.sha }, "the commit is not known: GITHUB_SHA is not set"},
	{"{branch}", func(k known) string { return branchTag(k.branch) },
		"the branch is not known: neither GITHUB_HEAD_REF nor GITHUB_REF_NAME is set"},
	{"{date}", func(k known) string { return k.day.UTC().Format("20060102") }, ""},
}

// checkTags returns what is wrong with tags that may have placeholders, whatever they stand for.
func checkTags(tags []string) (problems []error) {
	some := known{sha: "0", branch: "b", day: time.Unix(0, 0)}
	for _, tag := range tags {
		if _, err := some.expand(tag); err != nil {
			problems = append(problems, fmt.Errorf("tags: %w", err))
		}
	}
	return problems
}

// tags returns the tags with the values in place of their placeholders.
func (k known) tags(tags []string) (expanded []string, err error) {
	var problems []error
	for _, tag := range tags {
		with, err := k.expand(tag)
		if err != nil {
			problems = append(problems, fmt.Errorf("tags: %w", err))
		}
		expanded = append(expanded, with)
	}
	return expanded, errors.Join(problems...)
}

func (k known) expand(tag string) (string, error) {
	with := tag
	for _, p := range placeholders {
		if !strings.Contains(with, p.name) {
			continue
		}
		value := p.value(k)
		if value == "" {
			return "", fmt.Errorf("%q: %s", tag, p.missing)
		}
		with = strings.ReplaceAll(with, p.name, value)
	}
	if at := strings.IndexByte(with, '{'); at >= 0 && strings.IndexByte(with[at:], '}') > 0 {
		return "", fmt.Errorf("%q: there is no %s; known are {sha}, {branch} and {date}", tag, with[at:at+strings.IndexByte(with[at:], '}')+1])
	}
	return with, image.CheckTag(with)
}

// branchTag writes a branch as a tag can have it: what a tag cannot hold, such as a slash, becomes a hyphen.
func branchTag(branch string) string {
	tag := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
			return r
		}
		return '-'
	}, branch)
	tag = strings.TrimLeft(tag, ".-")
	return tag[:min(len(tag), 100)]
}
