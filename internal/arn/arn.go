// Package arn takes from the names of ECS's resources the part that a person knows them by.
package arn

import (
	"strconv"
	"strings"
)

// Last returns what follows the last slash: the name of a cluster or a service, a task's ID, FAMILY:NUMBER of a task
// definition. Text without a slash is returned as it is.
func Last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// Revision shortens the ARN of a task definition to FAMILY:NUMBER; anything else is returned as it is.
func Revision(name string) string {
	if _, short, found := strings.Cut(name, ":task-definition/"); found {
		return short
	}
	return name
}

// Family returns the family in the ARN of a task definition, in FAMILY:NUMBER or in FAMILY.
func Family(name string) string {
	family, _, _ := strings.Cut(Revision(name), ":")
	return family
}

// Number returns the number of a revision, by its ARN or FAMILY:NUMBER; 0 of what names none.
func Number(name string) int {
	_, digits, _ := strings.Cut(Revision(name), ":")
	n, _ := strconv.Atoi(digits) // 0 of what is not a number
	return n
}

// Account returns the account in an ARN, 12 digits; "" of what is not an ARN, or has none.
func Account(name string) string {
	parts := strings.SplitN(name, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// TemplateSuffix is what the family of a template ends with: that of NAME is NAME-template.
const TemplateSuffix = "-template"

// Sibling returns the ARN of another task definition, named as FAMILY:NUMBER, in the account and region of the one with the
// ARN name. Where name is not the ARN of a task definition, it returns revision as it is.
func Sibling(name, revision string) string {
	prefix, _, found := strings.Cut(name, ":task-definition/")
	if !found {
		return revision
	}
	return prefix + ":task-definition/" + revision
}
