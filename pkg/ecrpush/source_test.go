package ecrpush_test

import (
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// A re-run of a commit's workflow finds the image that the first run pushed, and touches nothing.
func TestPushFindsTheCommitsImage(t *testing.T) {
	at(t, "repository: {mutability: IMMUTABLE}", func(t *testing.T, s *site) {
		ask := ecrpush.Inputs{Source: "tag:abc123", Repository: repository, Tags: []string{"abc123"}, IfAbsent: "skip"}
		if out := s.mustPush(ask); out.Outcome != action.NoChange || out.Digest != "" || out.Changed ||
			!strings.HasSuffix(out.Repository, "/"+repository) {
			t.Errorf("before it is built: %+v", out)
		}
		built := s.mustPush(ecrpush.Inputs{Source: s.saved(imagetest.New(1, 30_000)), Repository: repository, Tags: []string{"abc123"}})
		s.fresh()
		if out := s.mustPush(ask); out.Outcome != action.NoChange || out.Digest != built.Digest || out.Tags != "abc123" {
			t.Errorf("after it is built: %+v, want digest %s", out, built.Digest)
		}
		if did := s.Mutations(); len(did) > 0 {
			t.Errorf("asking did %q", did)
		}
	})
}

// Promotion copies between repositories by name, and again finds what it copied.
func TestPushPromotes(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		built := s.mustPush(ecrpush.Inputs{Source: s.saved(imagetest.New(1, 30_000)), Repository: "team/staging",
			Tags: []string{"tree-1"}, CreateRepository: true})
		for _, source := range []string{
			"ecr:team/staging:tree-1", "ecr:team/staging@" + built.Digest, "ecr:arn:aws:ecr:us-west-2:123456789012:repository/team/staging:tree-1",
			"ecr:" + built.Repository + ":tree-1",
		} {
			s.fresh()
			out := s.mustPush(ecrpush.Inputs{Source: source, Repository: repository, Tags: []string{"abc123"}})
			if out.Digest != built.Digest || s.tag("abc123") != built.Digest {
				t.Errorf("%s: %+v, want digest %s", source, out, built.Digest)
			}
		}
	})
}

// What is absent is a failure unless it was allowed; what is wrong always is one.
func TestPushAbsentSource(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		for _, c := range []struct {
			in    ecrpush.Inputs
			words []string // empty: it is skipped
		}{
			{ecrpush.Inputs{Source: "tag:none", Repository: repository, IfAbsent: "skip"}, nil},
			{ecrpush.Inputs{Source: "ecr:" + repository + ":none", Repository: repository, IfAbsent: "skip"}, nil},
			{ecrpush.Inputs{Source: "tag:none", Repository: repository, IfAbsent: "fail"}, []string{"none"}},
			{ecrpush.Inputs{Source: "ecr:" + repository + ":none", Repository: repository}, []string{"none"}},
			{ecrpush.Inputs{Source: "ecr:connect2-api-stagign:v1", Repository: repository, IfAbsent: "skip"},
				[]string{"connect2-api-stagign", "does not exist"}},
			{ecrpush.Inputs{Source: "tag:v1", Repository: "connect2-api-dve", IfAbsent: "skip"}, []string{`"connect2-api-dve" does not exist`}},
			{ecrpush.Inputs{Source: "tag:v1", Repository: "new", CreateRepository: true}, []string{"is to be created"}},
			{ecrpush.Inputs{Source: "image.tar", Repository: repository, IfAbsent: "skip"}, []string{"no such file"}},
		} {
			s.fresh()
			out, err := s.push(t.Context(), c.in)
			if len(c.words) == 0 {
				if err != nil || out.Outcome != action.NoChange || out.Digest != "" {
					t.Errorf("%+v: %+v, %v", c.in, out, err)
				}
				if text := s.Log.Text(); !strings.Contains(text, "is not there") {
					t.Errorf("the log does not say why nothing is pushed:\n%s", text)
				}
				continue
			}
			if action.OutcomeOf(err) != action.Invalid {
				t.Errorf("%+v: %v", c.in, err)
				continue
			}
			for _, word := range c.words {
				if !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%v\n\tdoes not say %q, once", err, word)
				}
			}
		}
	})
}

func TestNamedSources(t *testing.T) {
	for source, word := range map[string]string{
		"tag:v1": "", "ecr:team/app:v1": "", "ecr:app@sha256:" + strings.Repeat("0", 64): "",
		"tag:":                 "not a tag",
		"tag:a/b":              "not a tag",
		"ecr:app":              "name a tag or a digest",
		"ecr:App:v1":           "not a repository name",
		"ecr::v1":              "not a repository name",
		"ecr:app@sha256:short": "not a digest",
	} {
		problems := ecrpush.Inputs{Source: source, Repository: "app"}.Validate()
		if (word == "") != (len(problems) == 0) || word != "" && !strings.Contains(problems[0].Error(), word) {
			t.Errorf("%s: %v, want %q", source, problems, word)
		}
	}
}
