package tfapply

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/terraform"
)

// hub is GitHub's REST API, as far as comments and reports need it.
type hub struct {
	base       string // https://api.github.com
	repository string
	token      string
	transport  http.RoundTripper
}

// hub returns the API of the run's repository; ok is false where there is no token, or no repository.
func (s *session) hub() (h hub, ok bool) {
	h = hub{base: s.env.GitHub.APIURL, repository: s.env.GitHub.Repository, token: s.in.Token, transport: s.env.Transport}
	return h, h.base != "" && h.repository != "" && h.token != ""
}

// call makes one request below the repository; in and out may be nil.
func (h hub) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(h.base, "/")+"/repos/"+h.repository+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+h.token)
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	response, err := (&http.Client{Transport: h.transport}).Do(request)
	if err != nil {
		return fmt.Errorf("GitHub: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 32<<20))
	if err != nil {
		return fmt.Errorf("GitHub: %s %s: %w", method, path, err)
	}
	if response.StatusCode/100 != 2 {
		var answer struct{ Message string }
		_ = json.Unmarshal(text, &answer) // a proxy answers in HTML: then the status speaks alone
		hint := ""
		if response.StatusCode == http.StatusForbidden || response.StatusCode == http.StatusNotFound {
			hint = "; the token may lack a permission that the job's `permissions:` give"
		}
		return fmt.Errorf("GitHub: %s %s: %s %s%s", method, path, response.Status, answer.Message, hint)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// note is a comment of an issue or a pull request, or an issue itself.
type note struct {
	ID     int64  `json:"id"`
	Number int    `json:"number"`
	Body   string `json:"body"`
	User   struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"user"`
	PullRequest *struct{} `json:"pull_request"`
}

// list reads every page of a list.
func list[T any](ctx context.Context, h hub, path string) ([]T, error) {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	var all []T
	for page := 1; ; page++ {
		var some []T
		if err := h.call(ctx, http.MethodGet, fmt.Sprintf("%s%sper_page=100&page=%d", path, separator, page), nil, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < 100 {
			return all, nil
		}
	}
}

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
		s.env.Log.Warnf("The pull request's comment is not up to date", "%v", err)
	}
}

func (s *session) writeComment(ctx context.Context, h hub, number int, p *planned) error {
	comments, err := list[note](ctx, h, fmt.Sprintf("/issues/%d/comments", number))
	if err != nil {
		return err
	}
	at := slices.IndexFunc(comments, func(c note) bool { return s.ours(c) })
	if at < 0 {
		return h.call(ctx, http.MethodPost, fmt.Sprintf("/issues/%d/comments", number), map[string]string{"body": s.commentBody(p, "")}, nil)
	}
	return h.call(ctx, http.MethodPatch, fmt.Sprintf("/issues/comments/%d", comments[at].ID), map[string]string{"body": s.commentBody(p, comments[at].Body)}, nil)
}

// ours says whether a comment is this configuration's, and written by a bot: anybody may write a comment.
func (s *session) ours(c note) bool {
	return c.User.Type == "Bot" && strings.HasPrefix(c.Body, s.marker())
}

// reviewedInComment finds the plan that was reviewed in the pull request whose merge made the commit of this run: by the
// commit for merges and squashes, and for every commit of a rebase.
func (s *session) reviewedInComment(ctx context.Context) (*yardstick, error) {
	h, ok := s.hub()
	if !ok || s.env.GitHub.SHA == "" {
		return nil, fmt.Errorf("neither plan-digest nor plan-file is given, and there is no token to look for the merged pull request's comment")
	}
	type pull struct {
		Number   int    `json:"number"`
		MergedAt string `json:"merged_at"`
	}
	pulls, err := list[pull](ctx, h, "/commits/"+s.env.GitHub.SHA+"/pulls")
	if err != nil {
		return nil, err
	}
	pulls = slices.DeleteFunc(pulls, func(p pull) bool { return p.MergedAt == "" })
	if len(pulls) == 0 {
		return nil, fmt.Errorf("no merged pull request belongs to commit %s", s.env.GitHub.SHA)
	}
	newest := slices.MaxFunc(pulls, func(a, b pull) int { return strings.Compare(a.MergedAt, b.MergedAt) })
	comments, err := list[note](ctx, h, fmt.Sprintf("/issues/%d/comments", newest.Number))
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Backward(comments) {
		if !s.ours(c) {
			continue
		}
		found := markedDigest.FindStringSubmatch(c.Body)
		if found == nil {
			break
		}
		digest, err := terraform.ParseDigest(found[1])
		return &yardstick{digest: digest, from: fmt.Sprintf("the comment of pull request #%d", newest.Number)}, err
	}
	return nil, fmt.Errorf("pull request #%d has no plan of %s in a comment", newest.Number, s.place())
}

// driftLabel marks the issue about drift, so that it is found among all others.
const driftLabel = "terraform-drift"

// reportDrift opens one issue while there is drift, keeps it up to date, and closes it when the drift is gone.
func (s *session) reportDrift(ctx context.Context, p *planned) error {
	h, ok := s.hub()
	if !ok || s.in.Comment == "off" {
		return nil
	}
	issues, err := list[note](ctx, h, "/issues?state=open&labels="+driftLabel)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(issues, func(n note) bool { return n.PullRequest == nil && s.ours(n) })
	body := s.driftBody(p)
	switch {
	case p.changes && at < 0:
		return h.call(ctx, http.MethodPost, "/issues", map[string]any{"title": s.title("Drift"), "body": body, "labels": []string{driftLabel}}, nil)
	case p.changes:
		return h.call(ctx, http.MethodPatch, fmt.Sprintf("/issues/%d", issues[at].Number), map[string]any{"body": body}, nil)
	case at >= 0:
		if err := h.call(ctx, http.MethodPost, fmt.Sprintf("/issues/%d/comments", issues[at].Number), map[string]any{"body": render.Section(s.driftGone())}, nil); err != nil {
			return err
		}
		return h.call(ctx, http.MethodPatch, fmt.Sprintf("/issues/%d", issues[at].Number), map[string]any{"state": "closed", "state_reason": "completed"}, nil)
	}
	return nil
}
