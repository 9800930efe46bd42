package render

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// seen is what a browser shows of a document.
type seen struct {
	Text      string  `json:"text"`      // of what is visible, in order
	Wide      float64 `json:"wide"`      // width of the content in CSS pixels
	Screen    float64 `json:"screen"`    // width of the screen
	TitleAt   float64 `json:"titleAt"`   // distance of the verdict's title from the top
	CauseEnds float64 `json:"causeEnds"` // where the cause's evidence ends
	Lanes     int     `json:"lanes"`     // lanes of the timeline that have a height
	Bars      []struct {
		Label       string  `json:"label"`
		Left, Right float64 // in CSS pixels
	} `json:"bars"`
	Track  []float64 `json:"track"`  // left and right edge of the first lane
	Paper  string    `json:"paper"`  // background colour
	Ink    string    `json:"ink"`    // colour of the text
	Opened string    `json:"opened"` // visible text once every fold is open
}

// probe runs beside the document, in a page that frames it, and writes what it sees into the page's own body.
const probe = `<!doctype html><meta charset="utf-8"><iframe id="f" style="border:0;width:%dpx;height:2000px" srcdoc="%s"></iframe>
<script>document.getElementById("f").onload=()=>{
const f=document.getElementById("f"),d=f.contentDocument,at=e=>e.getBoundingClientRect(),s=getComputedStyle(d.body);
const out={text:d.body.innerText,wide:d.documentElement.scrollWidth,screen:f.clientWidth,titleAt:at(d.querySelector("h1")).top,
causeEnds:at(d.querySelector(".evidence")).bottom,lanes:[...d.querySelectorAll(".lane ul")].filter(e=>at(e).height>10).length,
bars:[...d.querySelectorAll(".lane li")].map(e=>({label:e.title,Left:at(e).left,Right:at(e).right})),
track:[at(d.querySelector(".lane ul")).left,at(d.querySelector(".lane ul")).right],paper:s.backgroundColor,ink:s.color};
d.querySelectorAll("details").forEach(e=>e.open=true);out.opened=d.body.innerText;
const pre=document.createElement("pre");pre.id="seen";pre.textContent=JSON.stringify(out);document.body.append(pre)}</script>`

// look shows a document in Debian's Chromium, headless, on a screen of this width.
func look(t *testing.T, document string, width int, dark bool) seen {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	page := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(page, fmt.Appendf(nil, probe, width, html.EscapeString(document)), 0o600); err != nil {
		t.Fatal(err)
	}
	scheme := "1"
	if dark {
		scheme = "0"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--window-size=1600,2200", "--blink-settings=preferredColorScheme="+scheme, "--virtual-time-budget=3000", "--dump-dom", "file://"+page)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	m := regexp.MustCompile(`(?s)<pre id="seen">(.*?)</pre>`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("nothing was seen in:\n%.2000s", out)
	}
	var s seen
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHTMLInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	doc := htmlOf(t, failedRelease(), nil)
	for _, test := range []struct {
		name  string
		width int
		dark  bool
		paper string
	}{
		{"a phone in light", 375, false, "rgb(255, 255, 255)"},
		{"a desktop in dark", 1440, true, "rgb(13, 17, 23)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := look(t, doc, test.width, test.dark)
			if s.Wide > s.Screen {
				t.Errorf("%.0f pixels wide on a screen of %.0f: it scrolls sideways", s.Wide, s.Screen)
			}
			if s.TitleAt > 150 || s.CauseEnds > 700 {
				t.Errorf("the title is at %.0f and the cause ends at %.0f: not in the first screen", s.TitleAt, s.CauseEnds)
			}
			for _, part := range []string{"release: rolled-back", "connect2-api needs the environment variable DATABASE_URL",
				"KeyError: 'DATABASE_URL'",
				"What to do", "set DATABASE_URL in secrets of the template", "connect2-api-dev:11 serves again", "alembic upgrade head", "pull",
				"Task ef56ab78", "12.3 MB", "reused", "+image: connect2-api-dev@sha256:bbb", "What happened"} {
				if !strings.Contains(s.Text, part) {
					t.Errorf("%q is not visible", part)
				}
			}
			if n := strings.Count(s.Text, "needs the environment variable DATABASE_URL"); n != 1 {
				t.Errorf("the root cause is seen %d times, want once", n)
			}
			for _, folded := range []string{"<script>alert(1)</script>", "has started 2 tasks"} {
				if strings.Contains(s.Text, folded) || !strings.Contains(s.Opened, folded) {
					t.Errorf("%q: want it in a fold", folded)
				}
			}
			if s.Lanes != 6 {
				t.Errorf("%d lanes, want push, migrate, the deployment, ECS and two tasks", s.Lanes)
			}
			for _, b := range s.Bars {
				if b.Left < s.Track[0]-1 || b.Right > s.Track[1]+4 || b.Right-b.Left < 2 {
					t.Errorf("bar %q from %.0f to %.0f is not on its track %v", b.Label, b.Left, b.Right, s.Track)
				}
			}
			if len(s.Bars) != 11 {
				t.Errorf("%d bars, want 11", len(s.Bars))
			}
			if s.Paper != test.paper || s.Ink == s.Paper {
				t.Errorf("paper %s, ink %s; want paper %s", s.Paper, s.Ink, test.paper)
			}
		})
	}
}
