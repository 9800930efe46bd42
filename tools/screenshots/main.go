// Command screenshots shows a document in Chromium and keeps what it looks like as a PNG. Markdown is shown in GitHub's style, its
// Mermaid charts drawn: with -node naming a folder of npm packages that has github-markdown-css and mermaid.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
)

func main() {
	var s shot
	flag.StringVar(&s.node, "node", "node_modules", "folder of npm packages, for Markdown")
	flag.IntVar(&s.width, "width", 1000, "width of the screen in CSS pixels")
	flag.IntVar(&s.height, "height", 900, "height of the picture in CSS pixels")
	flag.BoolVar(&s.dark, "dark", false, "show it in dark")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: screenshots [flags] DOCUMENT.md|DOCUMENT.html PICTURE.png")
		os.Exit(1)
	}
	if err := s.take(flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type shot struct {
	node          string
	width, height int
	dark          bool
}

// take shows the document and writes the picture.
func (s shot) take(document, picture string) error {
	work, err := os.MkdirTemp("", "screenshots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	page, err := filepath.Abs(document)
	if err != nil {
		return err
	}
	if strings.HasSuffix(document, ".md") {
		if page, err = s.page(document, work); err != nil {
			return err
		}
	}
	if picture, err = filepath.Abs(picture); err != nil {
		return err
	}
	return s.chromium(work, page, picture)
}

// page makes an HTML page of a Markdown document.
func (s shot) page(document, work string) (string, error) {
	markdown, err := os.ReadFile(document)
	if err != nil {
		return "", err
	}
	node, err := filepath.Abs(s.node)
	if err != nil {
		return "", err
	}
	var body bytes.Buffer
	convert := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := convert.Convert(markdown, &body); err != nil {
		return "", fmt.Errorf("render %s: %w", document, err)
	}
	theme, chart := "light", "default"
	if s.dark {
		theme, chart = "dark", "dark"
	}
	page := filepath.Join(work, "page.html")
	return page, os.WriteFile(page, fmt.Appendf(nil, `<!doctype html><meta charset="utf-8">
<link rel="stylesheet" href="file://%s/github-markdown-css/github-markdown-%s.css">
<style>body{margin:0}article{box-sizing:border-box;padding:24px}.caution{border-left-color:#d1242f!important;color:inherit!important}
.caution::before{content:"Caution";color:#d1242f;font-weight:500}</style>
<article class="markdown-body">%s</article>
<script src="file://%[1]s/mermaid/dist/mermaid.min.js"></script>
<script>mermaid.initialize({startOnLoad:false,theme:%q,gantt:{useWidth:document.querySelector("article").clientWidth-80}});mermaid.run()</script>`,
		node, theme, asGitHub(body.String()), chart), 0o600)
}

var (
	chart   = regexp.MustCompile(`(?s)<pre><code class="language-mermaid">(.*?)</code></pre>`)
	caution = regexp.MustCompile(`<blockquote>\s*<p>\[!CAUTION\]\s*`)
)

// asGitHub gives the markup that GitHub adds to Markdown: charts, and alerts.
func asGitHub(page string) string {
	page = chart.ReplaceAllString(page, `<pre class="mermaid">$1</pre>`)
	return caution.ReplaceAllString(page, `<blockquote class="caution"><p>`)
}

func (s shot) chromium(work, page, picture string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	scheme := "1"
	if s.dark {
		scheme = "0"
	}
	out, err := exec.CommandContext(ctx, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--allow-file-access-from-files", "--hide-scrollbars",
		"--user-data-dir="+filepath.Join(work, "profile"), fmt.Sprintf("--window-size=%d,%d", s.width, s.height),
		"--blink-settings=preferredColorScheme="+scheme, "--virtual-time-budget=10000", "--screenshot="+picture, "file://"+page).CombinedOutput()
	if err != nil {
		return fmt.Errorf("chromium: %w\n%s", err, out)
	}
	if _, err := os.Stat(picture); err != nil {
		return errors.Join(fmt.Errorf("chromium took no picture:\n%s", out), err)
	}
	return nil
}
