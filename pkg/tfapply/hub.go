package tfapply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-github/v92/github"

	"github.com/org/connect2/v2/internal/githubapi"
)

// hub is GitHub's REST API, as far as comments and reports need it.
type hub struct {
	api         *github.Client
	owner, name string // of the repository
}

// hub returns the API of the run's repository; ok is false where there is no token, or no repository.
func (s *session) hub() (h hub, ok bool) {
	base, token := s.env.GitHub.APIURL, s.in.Token
	h.owner, h.name, ok = strings.Cut(s.env.GitHub.Repository, "/")
	if !ok || base == "" || token == "" {
		return hub{}, false
	}
	var err error
	h.api, err = githubapi.New(base, token, s.env.Transport)
	if err != nil {
		s.env.Events.Warnf("GitHub cannot be asked", "the API's address %s: %v", base, err)
	}
	return h, err == nil
}

// hubError says what may be missing where GitHub refuses.
func hubError(err error) error {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*github.ErrorResponse](err); ok && refusal.Response != nil &&
		(refusal.Response.StatusCode == http.StatusForbidden || refusal.Response.StatusCode == http.StatusNotFound) {
		return fmt.Errorf("GitHub: %w; the token may lack a permission that the job's `permissions:` give", err)
	}
	return fmt.Errorf("GitHub: %w", err)
}

// all reads every page of a list.
func all[T any](read func(github.ListOptions) ([]T, *github.Response, error)) ([]T, error) {
	const most = 100
	found, err := githubapi.All(most, read)
	return found, hubError(err)
}

func (h hub) comments(ctx context.Context, number int) ([]*github.IssueComment, error) {
	return all(func(page github.ListOptions) ([]*github.IssueComment, *github.Response, error) {
		return h.api.Issues.ListComments(ctx, h.owner, h.name, number, &github.IssueListCommentsOptions{ListOptions: page})
	})
}

func (h hub) addComment(ctx context.Context, number int, body string) error {
	_, _, err := h.api.Issues.CreateComment(ctx, h.owner, h.name, number, github.IssueCommentRequest{Body: body})
	return hubError(err)
}

func (h hub) changeComment(ctx context.Context, id int64, body string) error {
	_, _, err := h.api.Issues.UpdateComment(ctx, h.owner, h.name, id, github.IssueCommentRequest{Body: body})
	return hubError(err)
}

// pullRequestsOf returns the pull requests that brought a commit.
func (h hub) pullRequestsOf(ctx context.Context, commit string) ([]*github.PullRequest, error) {
	return all(func(page github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		return h.api.PullRequests.ListPullRequestsWithCommit(ctx, h.owner, h.name, commit, &page)
	})
}

// openIssues returns the open issues that have the label; pull requests are issues too.
func (h hub) openIssues(ctx context.Context, label string) ([]*github.Issue, error) {
	return all(func(page github.ListOptions) ([]*github.Issue, *github.Response, error) {
		return h.api.Issues.ListByRepo(ctx, h.owner, h.name,
			&github.IssueListByRepoOptions{State: "open", Labels: []string{label}, ListOptions: page})
	})
}

func (h hub) openIssue(ctx context.Context, title, body, label string) error {
	_, _, err := h.api.Issues.Create(ctx, h.owner, h.name, github.CreateIssueRequest{Title: title, Body: &body, Labels: []string{label}})
	return hubError(err)
}

func (h hub) changeIssue(ctx context.Context, number int, change github.UpdateIssueRequest) error {
	_, _, err := h.api.Issues.Update(ctx, h.owner, h.name, number, change)
	return hubError(err)
}

// runStatus returns how an attempt of a run stands; the repository is OWNER/NAME.
func (h hub) runStatus(ctx context.Context, repository, run, attempt string) (string, error) {
	owner, name, ok := strings.Cut(repository, "/")
	id, err := strconv.ParseInt(run, 10, 64)
	number, numberErr := strconv.Atoi(attempt)
	if !ok || err != nil || numberErr != nil {
		return "", fmt.Errorf("run %q, attempt %q, of %q is not one of GitHub's", run, attempt, repository)
	}
	found, _, err := h.api.Actions.GetWorkflowRunAttempt(ctx, owner, name, id, number, nil)
	return found.GetStatus(), hubError(err)
}
