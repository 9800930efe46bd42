package hold

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/record"
)

// tagged is a service, and the API that tags it.
type tagged struct {
	tags   map[string]string
	denied error
}

func (s *tagged) TagResource(_ context.Context, in *ecs.TagResourceInput, _ ...func(*ecs.Options)) (*ecs.TagResourceOutput, error) {
	for _, tag := range in.Tags {
		s.tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return &ecs.TagResourceOutput{}, s.denied
}

func (s *tagged) hold() Hold {
	var service types.Service
	for key, value := range s.tags {
		service.Tags = append(service.Tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	return Of(service)
}

// digest makes one of a letter, as long as real ones are.
func digest(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

func digests(letters string) []string {
	var all []string
	for _, letter := range letters {
		all = append(all, digest(string(letter)))
	}
	return all
}

func TestHoldSurvivesInTags(t *testing.T) {
	s := &tagged{tags: map[string]string{"Team": "api"}}
	at := time.Date(2026, 3, 1, 2, 10, 0, 0, time.UTC)
	h := Hold{Digests: digests("abc"), Last: Rollback{From: "api:3", Reason: "orders fail (see #12)", By: "octocat",
		Run: "https://github.com/o/r/actions/runs/1", At: at}}
	if err := h.Set(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	got := s.hold()
	if got.All || !slices.Equal(got.Digests, h.Digests) || got.Last.From != "api:3" || got.Last.By != "octocat" || !got.Last.At.Equal(at) ||
		got.Last.Reason != "orders fail _see _12_" || got.Last.Run != h.Last.Run {
		t.Errorf("read back %+v", got)
	}
	if s.tags["Team"] != "api" {
		t.Error("somebody else's tag is gone")
	}
	for key, value := range s.tags {
		if len(value) > 256 {
			t.Errorf("%s has %d characters", key, len(value))
		}
	}

	// A later rollback without a reason does not keep the earlier one's.
	if err := (Hold{All: true, Last: Rollback{At: at}}).Set(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	if got := s.hold(); !got.All || len(got.Digests) > 0 || got.Last.Reason != "" || got.Last.By != "" {
		t.Errorf("read back %+v", got)
	}
	if err := s.hold().Without("").Lift(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	if got := s.hold(); got.Refuse("api", digest("a")) != nil || !got.Last.At.Equal(at) {
		t.Errorf("lifted: %+v", got)
	}
	s.denied = errors.New("denied")
	if err := h.Lift(t.Context(), s, "arn:service/api"); !errors.Is(err, s.denied) || !strings.Contains(err.Error(), "arn:service/api") {
		t.Errorf("got %v", err)
	}
}

func TestRefuse(t *testing.T) {
	last := Rollback{Reason: "orders fail", By: "octocat", At: time.Date(2026, 3, 1, 2, 10, 0, 0, time.UTC)}
	own := last
	own.Reason = OwnRelease
	for _, test := range []struct {
		name   string
		hold   Hold
		digest string
		want   []string // parts of the message; none: not refused
		not    string
	}{
		{name: "no hold", digest: digest("a")},
		{name: "no hold, image unknown"},
		{name: "another image", hold: Hold{Digests: digests("ab"), Last: last}, digest: digest("c")},
		{name: "image unknown", hold: Hold{Digests: digests("ab"), Last: last}},
		{name: "image unknown, and so was one that was left", hold: Hold{Digests: []string{""}, Last: last}},
		{name: "the image that was left", hold: Hold{Digests: digests("ab"), Last: last}, digest: digest("a"),
			want: []string{digest("a"), "api", "2026-03-01 02:10 UTC", "octocat", "orders fail"}},
		{name: "one that was left before", hold: Hold{Digests: digests("ab"), Last: last}, digest: digest("b"),
			want: []string{digest("b"), "api"}, not: "orders fail"},
		{name: "everything", hold: Hold{All: true, Last: last}, digest: digest("c"), want: []string{"every release of api", "orders fail"}},
		{name: "everything, for a reason of its own", hold: Hold{All: true, Why: "frozen by ada", Last: last}, digest: digest("c"),
			want: []string{"every release of api is on hold: frozen by ada"}, not: "orders fail"},
		{name: "a reason without a hold", hold: Hold{Why: "frozen by ada", Last: last}, digest: digest("c")},
		{name: "everything, image unknown", hold: Hold{All: true, Last: last}, want: []string{"every release of api"}},
		{name: "since a rollback that a release has written over", hold: Hold{Digests: digests("a"), Last: own}, digest: digest("a"),
			want: []string{"which was rolled back from it"}, not: "octocat"},
		{name: "everything, since one that was overwritten", hold: Hold{All: true, Last: own}, digest: digest("a"),
			want: []string{"since its rollback"}, not: "octocat"},
		{name: "nothing known of it", hold: Hold{Digests: digests("a")}, digest: digest("a"), want: []string{"rolled back from it"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.hold.Refuse("api", test.digest)
			if (err != nil) != (len(test.want) > 0) {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				return
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if test.not != "" && strings.Contains(err.Error(), test.not) {
				t.Errorf("%q tells of another rollback", err)
			}
			var failure *record.Failure
			if !errors.As(err, &failure) || !strings.Contains(failure.Advice, "another image") || failure.Title == "" {
				t.Errorf("got %+v", failure)
			}
		})
	}
}

func TestWith(t *testing.T) {
	for _, test := range []struct{ name, held, before, back, want string }{
		{name: "the image that was left", before: "b", back: "a", want: "b"},
		{name: "the same image", before: "a", back: "a", want: ""},
		{name: "the same image, another still held", held: "c", before: "a", back: "a", want: "c"},
		{name: "a sidecar that both have", before: "bs", back: "as", want: "b"},
		{name: "two that changed", before: "cbs", back: "as", want: "bc"},
		{name: "the newest first", held: "b", before: "c", back: "a", want: "cb"},
		{name: "the oldest is forgotten", held: "dcb", before: "e", back: "a", want: "edc"},
		{name: "back to what was held", held: "cb", before: "d", back: "c", want: "db"},
		{name: "held already", held: "bc", before: "c", back: "a", want: "cb"},
		{name: "not known what ran", held: "b", back: "a", want: "b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			containers := func(letters string) map[string]string {
				all := map[string]string{}
				for _, letter := range letters {
					all["container-"+string(letter)] = digest(string(letter))
				}
				return all
			}
			back := containers(test.back)
			got := Hold{Digests: digests(test.held)}.With(Left(containers(test.before), back), back)
			if !slices.Equal(got.Digests, digests(test.want)) {
				t.Errorf("holds %v, want %s", got.Digests, test.want)
			}
		})
	}
}

func TestWithoutLeavesTheRest(t *testing.T) {
	h := Hold{All: true, Digests: digests("abc")}
	if got := h.Without(digest("b")); got.All || !slices.Equal(got.Digests, digests("ac")) || !slices.Equal(h.Digests, digests("abc")) {
		t.Errorf("got %+v, of %+v", got, h)
	}
}

func TestRollbackString(t *testing.T) {
	at := time.Date(2026, 3, 1, 3, 10, 0, 0, time.FixedZone("CET", 3600))
	for _, test := range []struct {
		rollback Rollback
		want     string
	}{
		{Rollback{}, ""},
		{Rollback{From: "api:3"}, ""}, // it is put behind what names the revision
		{Rollback{At: at}, " at 2026-03-01 02:10 UTC"},
		{Rollback{By: "octocat"}, " by octocat"},
		{Rollback{Reason: "orders fail"}, ": orders fail"},
		{Rollback{Run: "https://github.com/o/r/actions/runs/1"}, " (https://github.com/o/r/actions/runs/1)"},
		{Rollback{At: at, By: "octocat", Reason: "orders fail", Run: "URL"}, " at 2026-03-01 02:10 UTC by octocat: orders fail (URL)"},
	} {
		if got := test.rollback.String(); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.rollback, got, test.want)
		}
	}
}

func TestOf(t *testing.T) {
	for _, test := range []struct {
		tag  string
		want Hold
	}{
		{"", Hold{}},
		{"none", Hold{}},
		{"all", Hold{All: true}},
		{"everything", Hold{}},
		{digest("a"), Hold{Digests: digests("a")}},
		{"all " + digest("b") + " none " + digest("a"), Hold{All: true, Digests: digests("ba")}},
		{"md5:abc", Hold{}},
	} {
		got := (&tagged{tags: map[string]string{tagHold: test.tag}}).hold()
		if got.All != test.want.All || !slices.Equal(got.Digests, test.want.Digests) {
			t.Errorf("%q: got %+v, want %+v", test.tag, got, test.want)
		}
	}
}

func TestLeft(t *testing.T) {
	before := map[string]string{"a1": digest("a"), "a2": digest("a"), "b": digest("b")}
	for _, letter := range "zyxwvutsrqponmlkjihgfedc" {
		before[string(letter)] = digest(string(letter))
	}
	got := Left(before, map[string]string{"other": digest("b"), "z": digest("9")})
	if want := digests("acdefghijklmnopqrstuvwxyz"); !slices.Equal(got, want) {
		t.Errorf("got %v, want each digest once, in order, without what runs again", got)
	}
	if got := Left(nil, before); len(got) > 0 {
		t.Errorf("nothing ran before, and %v was left", got)
	}
}

func TestSetTellsWhatFailed(t *testing.T) {
	s := &tagged{tags: map[string]string{}, denied: errors.New("denied")}
	if err := (Hold{All: true}).Set(t.Context(), s, "arn:service/api"); !errors.Is(err, s.denied) ||
		!strings.Contains(err.Error(), "arn:service/api") {
		t.Errorf("got %v", err)
	}
}

func TestPossible(t *testing.T) {
	for arn, possible := range map[string]bool{
		"arn:aws:ecs:us-west-2:123456789012:service/prod/api": true,
		"arn:aws:ecs:us-west-2:123456789012:service/api":      false,
		"api": true, // not an ARN: nothing is known
	} {
		why := Possible(arn)
		if (why == "") != possible || !possible && !strings.HasSuffix(why, "ECS tags only services with the new one") {
			t.Errorf("%s: %q", arn, why)
		}
	}
}

func TestEnded(t *testing.T) {
	begun := time.Date(2026, 3, 1, 2, 10, 0, 0, time.UTC)
	for _, test := range []struct {
		from, revision string
		at             time.Duration
		want           bool
	}{
		{"api:3", "api:3", time.Minute, true},
		{"api:3", "api:3", -10 * time.Second, true}, // clocks apart
		{"api:3", "api:3", -10*time.Second - 1, false},
		{"api:3", "api:4", time.Minute, false},
		{"", "", time.Minute, false},
	} {
		if got := (Rollback{From: test.from, At: begun.Add(test.at)}).Ended(test.revision, begun); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// TestWrite writes down a rollback beside a hold.
func TestWrite(t *testing.T) {
	s := &tagged{tags: map[string]string{}}
	before := Hold{Digests: digests("a"), Last: Rollback{From: "api:1", At: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}}
	if err := before.Set(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	want := Rollback{From: "api:3", To: "api:2", Left: "ecs-svc/3", Began: "ecs-svc/4", Step: Begun}
	if err := want.Write(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	if got := s.hold(); got.Last != want || !slices.Equal(got.Digests, digests("a")) {
		t.Errorf("read back %+v", got)
	}
	if at := s.tags["connect2:rollback-at"]; at != "" {
		t.Errorf("a rollback at no time is at %q", at)
	}
	s.denied = errors.New("denied")
	if err := want.Write(t.Context(), s, "arn"); !errors.Is(err, s.denied) {
		t.Errorf("got %v", err)
	}
}

// TestPlaceAndLift holds everything back for a reason, and lifts that again: what the tags tell of the last rollback stays.
func TestPlaceAndLift(t *testing.T) {
	s := &tagged{tags: map[string]string{}}
	last := Rollback{From: "api:3", To: "api:2", At: time.Date(2026, 3, 1, 2, 10, 0, 0, time.UTC)}
	if err := (Hold{Digests: digests("a"), Last: last}).Set(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	if err := s.hold().Place(t.Context(), s, "arn", "frozen by ada"); err != nil {
		t.Fatal(err)
	}
	if got := s.hold(); !got.All || got.Why != "frozen by ada" || !slices.Equal(got.Digests, digests("a")) || got.Last != last {
		t.Errorf("placed: %+v", got)
	}
	s.denied = errors.New("denied")
	if err := s.hold().Place(t.Context(), s, "arn:service/api", "again"); !errors.Is(err, s.denied) {
		t.Errorf("got %v", err)
	}
	s.denied = nil
	s.tags[tagWhy] = "frozen by ada"
	if err := s.hold().Lift(t.Context(), s, "arn"); err != nil { // nothing of it is lifted: its reason stays
		t.Fatal(err)
	}
	if got := s.hold(); !got.All || got.Why != "frozen by ada" {
		t.Errorf("still held: %+v", got)
	}
	if err := s.hold().Without("").Lift(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	if got := s.hold(); got.All || got.Why != "" || !slices.Equal(got.Digests, digests("a")) || got.Last != last {
		t.Errorf("lifted: %+v", got)
	}
	delete(s.tags, tagWhy)
	if err := s.hold().Lift(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	if _, written := s.tags[tagWhy]; written {
		t.Error("a reason is written where there was none")
	}
}

func TestSame(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 10, 0, 500_000_000, time.UTC)
	note := Rollback{From: "api:3", To: "api:2", Left: "ecs-svc/3", Began: "ecs-svc/4", Step: Begun, At: at, By: "octocat"}
	s := &tagged{tags: map[string]string{}}
	if err := note.Write(t.Context(), s, "arn"); err != nil {
		t.Fatal(err)
	}
	if !s.hold().Last.Same(note) {
		t.Errorf("what was read back is another one: %+v", s.hold().Last)
	}
	for name, change := range map[string]func(*Rollback){
		"another revision was left": func(r *Rollback) { r.From = "api:4" },
		"to another one":            func(r *Rollback) { r.To = "api:1" },
		"from another deployment":   func(r *Rollback) { r.Left = "ecs-svc/5" },
		"begun by another one":      func(r *Rollback) { r.Began = "" },
		"over":                      func(r *Rollback) { r.Step = Done },
		"later":                     func(r *Rollback) { r.At = at.Add(time.Second) },
	} {
		other := note
		change(&other)
		if note.Same(other) {
			t.Errorf("%s: the same", name)
		}
	}
}
