// Package lazyregexp has regular expressions that are compiled when they are first used. A program that starts for every step
// of every workflow does not pay for the hundred patterns that only a failure needs.
package lazyregexp

import (
	"regexp"
	"sync"
)

// Regexp is a pattern that compiles on first use. It is safe for concurrent use.
type Regexp struct {
	pattern string
	get     func() *regexp.Regexp
}

// New returns the pattern, in the syntax of package regexp, uncompiled. A wrong pattern panics when it is used: every one
// needs a test that uses it.
func New(pattern string) *Regexp {
	return &Regexp{pattern: pattern, get: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })}
}

// Get returns the compiled pattern.
func (r *Regexp) Get() *regexp.Regexp { return r.get() }

// String returns the pattern.
func (r *Regexp) String() string { return r.pattern }

// MatchString is regexp's method of that name; so are the ones below.
func (r *Regexp) MatchString(s string) bool { return r.get().MatchString(s) }

// FindString returns the first match.
func (r *Regexp) FindString(s string) string { return r.get().FindString(s) }

// FindStringIndex returns where the first match begins and ends.
func (r *Regexp) FindStringIndex(s string) []int { return r.get().FindStringIndex(s) }

// FindStringSubmatch returns the first match and its groups.
func (r *Regexp) FindStringSubmatch(s string) []string { return r.get().FindStringSubmatch(s) }

// FindAllString returns up to n matches, all for a negative n.
func (r *Regexp) FindAllString(s string, n int) []string { return r.get().FindAllString(s, n) }

// FindAllStringSubmatch returns up to n matches with their groups.
func (r *Regexp) FindAllStringSubmatch(s string, n int) [][]string {
	return r.get().FindAllStringSubmatch(s, n)
}

// ReplaceAllString replaces every match; $1 and ${name} stand for groups.
func (r *Regexp) ReplaceAllString(s, with string) string { return r.get().ReplaceAllString(s, with) }

// ReplaceAllStringFunc replaces every match by what with returns.
func (r *Regexp) ReplaceAllStringFunc(s string, with func(string) string) string {
	return r.get().ReplaceAllStringFunc(s, with)
}

// SubexpNames returns the names of the groups.
func (r *Regexp) SubexpNames() []string { return r.get().SubexpNames() }

// SubexpIndex returns the index of the group of this name, -1 without one.
func (r *Regexp) SubexpIndex(name string) int { return r.get().SubexpIndex(name) }

// FindStringSubmatchIndex returns where the first match and its groups begin and end.
func (r *Regexp) FindStringSubmatchIndex(s string) []int { return r.get().FindStringSubmatchIndex(s) }
