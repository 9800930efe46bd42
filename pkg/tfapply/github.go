package tfapply

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/go-github/v92/github"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/terraform"
)

// markedDigest is where the digest of the plan stands in a comment.
var markedDigest = lazyregexp.New(`<!-- connect2 plan-digest (sha256:[0-9a-f]{64}[0-9a-z;=]*) -->`)

// pullRequest returns the number of the pull request that the run is about; 0 where it is about none.
func pullRequest(g action.GitHub) int {
	if !strings.HasPrefix(g.EventName, "pull_request") || g.EventPath == "" {
		return 0
	}
	text, err := os.ReadFile(g.EventPath)
	var event struct {
		Number int `json:"number"`
	}
	if err != nil || json.Unmarshal(text, &event) != nil {
		return 0
	}
	return event.Number
}

// comment keeps the one comment about this configuration up to date. Its earlier texts are folded away below the new one.
// What fails here is no reason for the plan to fail.
func (s *session) comment(ctx context.Context, p *planned) {
	h, ok := s.hub()
	number := pullRequest(s.env.GitHub)
	if s.in.Comment == "off" || !ok || number == 0 {
		return
	}
	if err := s.writeComment(ctx, h, number, p); err != nil {
		s.env.Events.Warnf("The pull request's comment is not up to date", "%v", err)
	}
}

func (s *session) writeComment(ctx context.Context, h hub, number int, p *planned) error {
	comments, err := h.comments(ctx, number)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(comments, func(c *github.IssueComment) bool { return s.ours(c) })
	if at < 0 {
		return h.addComment(ctx, number, s.commentBody(p, ""))
	}
	return h.changeComment(ctx, comments[at].GetID(), s.commentBody(p, comments[at].GetBody()))
}

// ours says whether a comment or an issue is this configuration's, and written by a bot: anybody may write a comment.
func (s *session) ours(c interface {
	GetUser() *github.User
	GetBody() string
}) bool {
	return c.GetUser().GetType() == "Bot" && strings.HasPrefix(c.GetBody(), s.marker())
}

// reviewedInComment finds the plan that was reviewed in the pull request whose merge made the commit of this run: by the
// commit for merges and squashes, and for every commit of a rebase.
func (s *session) reviewedInComment(ctx context.Context) (*reviewedPlan, error) {
	h, ok := s.hub()
	if !ok || s.env.GitHub.SHA == "" {
		return nil, fmt.Errorf("neither plan-digest nor plan-file is given, and there is no token to look for the merged pull request's comment")
	}
	pulls, err := h.pullRequestsOf(ctx, s.env.GitHub.SHA)
	if err != nil {
		return nil, err
	}
	pulls = slices.DeleteFunc(pulls, func(p *github.PullRequest) bool { return p.MergedAt == nil })
	if len(pulls) == 0 {
		return nil, fmt.Errorf("no merged pull request belongs to commit %s", s.env.GitHub.SHA)
	}
	newest := slices.MaxFunc(pulls, func(a, b *github.PullRequest) int { return a.MergedAt.Compare(b.MergedAt.Time) })
	comments, err := h.comments(ctx, newest.GetNumber())
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Backward(comments) {
		if !s.ours(c) {
			continue
		}
		found := markedDigest.FindStringSubmatch(c.GetBody())
		if found == nil {
			break
		}
		digest, err := terraform.ParseDigest(found[1])
		return &reviewedPlan{digest: digest, from: fmt.Sprintf("the comment of pull request #%d", newest.GetNumber())}, err
	}
	return nil, fmt.Errorf("pull request #%d has no plan of %s in a comment", newest.GetNumber(), s.place())
}

// driftLabel marks the issue about drift, so that it is found among all others.
const driftLabel = "terraform-drift"

// reportDrift opens one issue while there is drift, keeps it up to date, and closes it when the drift is gone.
func (s *session) reportDrift(ctx context.Context, p *planned) error {
	h, ok := s.hub()
	if !ok || s.in.Comment == "off" {
		return nil
	}
	issues, err := h.openIssues(ctx, driftLabel)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(issues, func(i *github.Issue) bool { return !i.IsPullRequest() && s.ours(i) })
	body := s.driftBody(p)
	switch {
	case p.changes && at < 0:
		return h.openIssue(ctx, s.title("Drift"), body, driftLabel)
	case p.changes:
		return h.changeIssue(ctx, issues[at].GetNumber(), github.UpdateIssueRequest{Body: &body})
	case at >= 0:
		if err := h.addComment(ctx, issues[at].GetNumber(), render.Section(s.driftGone())); err != nil {
			return err
		}
		closed := github.UpdateIssueRequest{State: new("closed"), StateReason: new("completed")}
		return h.changeIssue(ctx, issues[at].GetNumber(), closed)
	}
	return nil
}
