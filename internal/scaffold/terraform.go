package scaffold

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/internal/sorted"
)

// Company is what a copy of the folder terraform is to say of whose it is. What is empty stays as it is.
type Company struct {
	Project  string            // what all names begin with
	Domain   string            // the zone; the hosts in it keep what stands before it
	Region   string            //
	Accounts map[string]string // by environment
	Bucket   string            // of the state, with {environment}; PROJECT-terraform-state-{environment} where it is empty
	Toolkit  string            // OWNER/NAME of the repository that has the folder and its workflows
	Service  string            // OWNER/NAME of the service's repository
}

var (
	projectForm = lazyregexp.New(`^[a-z][a-z0-9-]*[a-z0-9]$`)
	domainForm  = lazyregexp.New(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
	regionForm  = lazyregexp.New(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	bucketForm  = lazyregexp.New(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`)
)

// mostProject is how long a project's name may be: the load balancer PROJECT-alb-staging has at most 32 characters.
const mostProject = 32 - len("-alb-staging")

// Check finds what is wrong with what was given, for these environments.
func (c Company) Check(environments []string) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if c.Project != "" && (!projectForm.MatchString(c.Project) || len(c.Project) > mostProject) {
		wrong("--project: %q is not a name of at most %d lower-case letters, digits and hyphens that begins with a letter: the load balancer "+
			"PROJECT-alb-staging has at most 32", c.Project, mostProject)
	}
	if c.Domain != "" && !domainForm.MatchString(c.Domain) {
		wrong("--domain: %q is not a domain such as example.com, in lower case", c.Domain)
	}
	if c.Region != "" && !regionForm.MatchString(c.Region) {
		wrong("--region: %q is not a region such as us-west-2", c.Region)
	}
	for _, each := range [][2]string{{"toolkit", c.Toolkit}, {"service-repository", c.Service}} {
		if each[1] != "" && !toolkitForm.MatchString(each[1]) {
			wrong("--%s: %q is not OWNER/NAME", each[0], each[1])
		}
	}
	if c.Service != "" && c.Service == c.Toolkit {
		wrong("--service-repository: %s has the Terraform already, and may release as it is", c.Service)
	}
	for _, name := range environments {
		bucket := c.bucket(name)
		switch {
		case c.Bucket == "":
		case !bucketForm.MatchString(bucket) || len(bucket) < 3 || len(bucket) > 63:
			wrong("--bucket: %q is not the name of a bucket: 3 to 63 lower-case letters, digits, hyphens and dots", bucket)
			return problems
		case len(environments) > 1 && !strings.Contains(c.Bucket, mark):
			wrong("--bucket: %s would be that of %s: write %s into it", c.Bucket, strings.Join(environments, ", "), mark)
			return problems
		}
	}
	return problems
}

func (c Company) bucket(environment string) string {
	if c.Bucket == "" {
		return c.Project + "-terraform-state-" + environment
	}
	return strings.ReplaceAll(c.Bucket, mark, environment)
}

// accountsOf reads ID, or ENV=ID,ENV=ID.
func accountsOf(text string, environments []string) (accounts map[string]string, problems []string) {
	accounts = map[string]string{}
	if text == "" {
		return accounts, nil
	}
	for each := range strings.SplitSeq(text, ",") {
		name, id, named := strings.Cut(strings.TrimSpace(each), "=")
		to := []string{name}
		if !named {
			id, to = name, environments
		}
		if !accountForm.MatchString(id) {
			problems = append(problems, fmt.Sprintf("--account: %q is not an account: want 12 digits, or dev=…,prod=…", id))
		}
		for _, environment := range to {
			switch _, twice := accounts[environment]; {
			case !slices.Contains(environments, environment):
				problems = append(problems, fmt.Sprintf("--account: there is no environment %q: %s", environment, strings.Join(environments, ", ")))
			case twice:
				problems = append(problems, "--account: "+environment+" is given twice")
			}
			accounts[environment] = id
		}
	}
	return accounts, problems
}

// page is a file of Terraform on which places are looked for and changed.
type page struct {
	path, text string
	code       string // the text, with spaces in place of comments
	edits      []edit
	problems   []string
}

// edit puts a text in place of another.
type edit struct {
	at  span
	new string
}

// span is a part of a text.
type span struct{ from, to int }

func newPage(path, text string) *page { return &page{path: path, text: text, code: uncommented(text)} }

// uncommented is a text of Terraform with spaces in place of its comments.
func uncommented(text string) string {
	out := []byte(text)
	quoted := false
	for i := 0; i < len(out); i++ {
		rest := text[i:]
		end := -1
		switch {
		case quoted:
			switch out[i] {
			case '\\':
				i++
			case '"', '\n':
				quoted = false
			}
			continue
		case out[i] == '"':
			quoted = true
		case out[i] == '#', strings.HasPrefix(rest, "//"):
			end = strings.IndexByte(rest, '\n')
		case strings.HasPrefix(rest, "/*"):
			if end = strings.Index(rest, "*/"); end >= 0 {
				end += len("*/")
			}
		default:
			continue
		}
		if quoted {
			continue
		}
		if end < 0 {
			end = len(rest)
		}
		for ; end > 0; end-- {
			if out[i] != '\n' {
				out[i] = ' '
			}
			i++
		}
		i--
	}
	return string(out)
}

// block finds what stands in the brackets behind a head, such as `domain =` or `variable "region"`.
func (p *page) block(head string, in span) (span, bool) {
	at := regexp.MustCompile(`(?m)^\s*` + head + `\s*[{\[]`).FindStringIndex(p.code[in.from:in.to])
	if at == nil {
		return span{}, false
	}
	return p.brackets(in.from + at[1] - 1)
}

// brackets is what stands in the brackets that open here.
func (p *page) brackets(open int) (span, bool) {
	depth, quoted := 0, false
	for i := open; i < len(p.code); i++ {
		switch c := p.code[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			if depth--; depth == 0 {
				return span{open + 1, i}, true
			}
		}
	}
	return span{}, false
}

func (p *page) whole() span { return span{0, len(p.text)} }

// value finds the text that a name is set to.
func (p *page) value(name string, in span) (span, bool) {
	at := regexp.MustCompile(`(?:^|[\s{,])` + name + `\s*=\s*"([^"\n]*)"`).FindStringSubmatchIndex(p.code[in.from:in.to])
	if at == nil {
		return span{}, false
	}
	return span{in.from + at[2], in.from + at[3]}, true
}

func (p *page) read(at span) string { return p.text[at.from:at.to] }

// set changes what a name is set to.
func (p *page) set(what, name, to string, in span, found bool) {
	at, ok := p.value(name, in)
	if !found || !ok {
		p.problems = append(p.problems, fmt.Sprintf("%s: %s is not there as the copy had it: set it by hand to %q", p.path, what, to))
		return
	}
	p.edits = append(p.edits, edit{at, to})
}

func (p *page) insert(at int, text string) { p.edits = append(p.edits, edit{span{at, at}, text}) }

// changed is the text with all changes.
func (p *page) changed() string {
	edits := slices.Clone(p.edits)
	sorted.Stable(edits, func(a, b edit) int { return b.at.from - a.at.from })
	text := p.text
	for _, e := range edits {
		text = text[:e.at.from] + e.new + text[e.at.to:]
	}
	return text
}

// Folder are the files of an environment that say whose it is.
type Folder struct {
	Environment                string
	Variables, Backend, Values *page // variables.tf, backend.tf, ENV.tfvars
}

// rename changes what the files say.
func (f Folder) rename(c Company) (notes []string) {
	project, ok := f.Variables.block(`variable\s+"project"`, f.Variables.whole())
	was := ""
	if at, found := f.Variables.value("default", project); ok && found {
		was = f.Variables.read(at)
	}
	if c.Project != "" {
		f.Variables.set("the default of project", "default", c.Project, project, ok)
	} else {
		c.Project = was
	}
	if c.Region != "" {
		region, ok := f.Variables.block(`variable\s+"region"`, f.Variables.whole())
		f.Variables.set("the default of region", "default", c.Region, region, ok)
		f.Backend.set("region", "region", c.Region, f.Backend.whole(), true)
	}
	f.renameBucket(c, was)
	if id := c.Accounts[f.Environment]; id != "" {
		f.setAccount(id)
	}
	if c.Domain != "" {
		notes = append(notes, f.renameDomain(c.Domain)...)
	}
	if c.Toolkit != "" || c.Service != "" {
		f.renameRepositories(c)
	}
	return notes
}

// renameBucket names the bucket of the state. One that was not called after the project stays, unless it is given.
func (f Folder) renameBucket(c Company, was string) {
	at, ok := f.Backend.value("bucket", f.Backend.whole())
	usual := was + "-terraform-state-" + f.Environment
	if c.Bucket == "" && ok && f.Backend.read(at) != usual {
		return
	}
	f.Backend.set("the bucket", "bucket", c.bucket(f.Environment), f.Backend.whole(), true)
	github, ok := f.Values.block(`github\s*=`, f.Values.whole())
	if !ok {
		return // no role is made that has to know
	}
	if _, told := f.Values.value("state_bucket", github); told {
		f.Values.set("github.state_bucket", "state_bucket", c.bucket(f.Environment), github, true)
	} else if c.bucket(f.Environment) != c.Project+"-terraform-state-"+f.Environment {
		f.Values.insert(github.from, "\n  state_bucket = \""+c.bucket(f.Environment)+"\"\n")
	}
}

// setAccount writes the account below the environment's name, where it is not there yet.
func (f Folder) setAccount(id string) {
	p := f.Values
	if at := regexp.MustCompile(`(?m)^account_id\s*=\s*"([^"\n]*)"`).FindStringSubmatchIndex(p.code); at != nil {
		p.edits = append(p.edits, edit{span{at[2], at[3]}, id})
		return
	}
	at := regexp.MustCompile(`(?m)^environment\s*=.*\n`).FindStringIndex(p.code)
	if at == nil {
		p.problems = append(p.problems, fmt.Sprintf("%s: it does not say environment = %q as the copy did: set account_id by hand to %q", p.path,
			f.Environment, id))
		return
	}
	p.insert(at[1], "account_id  = \""+id+"\"\n")
}

// renameDomain puts another zone in the place of the one that is there, and behind the hosts in it.
func (f Folder) renameDomain(to string) (notes []string) {
	domain, ok := f.Values.block(`domain\s*=`, f.Values.whole())
	if !ok {
		return []string{f.Values.path + " has no domain, and gets none"}
	}
	zone, ok := f.Values.value("zone", domain)
	f.Values.set("domain.zone", "zone", to, domain, true)
	host, has := f.Values.value("host", domain)
	if !ok || !has {
		return nil
	}
	was, old := f.Values.read(host), f.Values.read(zone)
	switch before, in := strings.CutSuffix(was, "."+old); {
	case in:
		f.Values.set("domain.host", "host", before+"."+to, domain, true)
	case was == old:
		f.Values.set("domain.host", "host", to, domain, true)
	case was == to || strings.HasSuffix(was, "."+to):
	default:
		notes = append(notes, fmt.Sprintf("%s: the host %s is not in %s, and stays", f.Values.path, was, old))
	}
	return notes
}

// repository is one that is named in the values.
type repository struct {
	at   span
	name string // OWNER/NAME
}

func (p *page) repository(at span) (repository, bool) {
	owner, a := p.value("owner", at)
	name, b := p.value("name", at)
	if !a || !b {
		return repository{}, false
	}
	return repository{at, p.read(owner) + "/" + p.read(name)}, true
}

// renameRepositories names the repository that has the folder, and the service's. Each stands in github, the first one twice.
func (f Folder) renameRepositories(c Company) {
	p := f.Values
	github, ok := p.block(`github\s*=`, p.whole())
	own, has := p.block(`repository\s*=`, github)
	toolkit, named := p.repository(own)
	if !ok || !has || !named {
		p.problems = append(p.problems, p.path+": github.repository is not there as the copy had it: name the repositories by hand")
		return
	}
	if c.Toolkit != "" {
		p.call(toolkit, c.Toolkit)
	}
	var services []repository
	if list, ok := p.block(`service_repositories\s*=`, github); ok {
		for i := list.from; i < list.to; i++ {
			if p.code[i] != '{' {
				continue
			}
			at, ok := p.brackets(i)
			if !ok {
				break
			}
			if r, ok := p.repository(at); ok && r.name != toolkit.name {
				services = append(services, r)
			} else if ok && c.Toolkit != "" {
				p.call(r, c.Toolkit)
			}
			i = at.to
		}
	}
	switch {
	case c.Service == "":
	case len(services) == 1:
		p.call(services[0], c.Service)
	case slices.ContainsFunc(services, func(r repository) bool { return r.name == c.Service }):
	default:
		p.problems = append(p.problems, fmt.Sprintf("%s: github.service_repositories has %d of services, and not one: name %s there by hand",
			p.path, len(services), c.Service))
	}
}

// call gives a repository another name. The numbers of the one that was there would be wrong.
func (p *page) call(r repository, to string) {
	if r.name == to {
		return
	}
	if regexp.MustCompile(`(?:^|[\s{,])(?:owner_id|id)\s*=\s*[0-9]`).MatchString(p.code[r.at.from:r.at.to]) {
		p.problems = append(p.problems, fmt.Sprintf("%s: owner_id and id are those of %s: take them out, or correct them with the names",
			p.path, r.name))
		return
	}
	owner, name, _ := strings.Cut(to, "/")
	p.set("owner", "owner", owner, r.at, true)
	p.set("name", "name", name, r.at, true)
}

// companyFlags are those of --terraform alone.
var companyFlags = []string{"domain", "bucket", "service-repository"}

// renamed finds the changes that make a copy of the folder terraform a company's.
func renamed(in asked, rest []string, env Env) (changes []change, notes, problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, extra := range rest {
		wrong("%q is not understood: every value belongs to a flag", extra)
	}
	for _, flag := range []string{"outputs", "from-terraform", "from-service", "environments", "migrate", "dir"} {
		if in.given[flag] {
			wrong("--%s and --terraform exclude each other", flag)
		}
	}
	folders, names, more := folders(in.copy)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, nil, problems
	}
	c := Company{Project: in.project, Domain: in.domain, Region: in.region, Bucket: in.bucket, Service: in.service}
	if in.given["toolkit"] {
		c.Toolkit = in.toolkit
	}
	if c.Project+c.Domain+c.Region+c.Bucket+c.Toolkit+c.Service+in.account == "" {
		if env.Ask == nil || in.yes {
			return nil, nil, []string{"say what the copy is to be called: --project, --domain, --region, --account, --bucket, --toolkit, " +
				"--service-repository, or some of them"}
		}
		if err := askFor(env, &c, &in.account); err != nil {
			return nil, nil, []string{fmt.Sprintf("reading the answer: %v", err)}
		}
	}
	c.Accounts, more = accountsOf(in.account, names)
	if problems = append(more, c.Check(names)...); len(problems) > 0 {
		return nil, nil, problems
	}
	for _, f := range folders {
		notes = append(notes, f.rename(c)...)
		for _, p := range []*page{f.Variables, f.Backend, f.Values} {
			problems = append(problems, p.problems...)
			if text := p.changed(); text != p.text {
				at := filepath.Join(in.copy, filepath.FromSlash(p.path))
				changes = append(changes, change{File: File{Path: p.path, Text: text}, at: at, was: p.text, there: true})
			}
		}
	}
	return changes, notes, problems
}

// folders reads the environments of a copy.
func folders(copied string) (all []Folder, names, problems []string) {
	for _, name := range order {
		if info, err := os.Stat(filepath.Join(copied, "environments", name)); err != nil || !info.IsDir() {
			continue
		}
		pages := [3]*page{}
		for i, file := range []string{"variables.tf", "backend.tf", name + ".tfvars"} {
			at := path.Join("environments", name, file)
			if problem := inTheWay(copied, at); problem != "" {
				problems = append(problems, problem)
				continue
			}
			text, err := os.ReadFile(filepath.Join(copied, filepath.FromSlash(at)))
			if err != nil {
				problems = append(problems, err.Error())
				continue
			}
			pages[i] = newPage(at, string(text))
		}
		all, names = append(all, Folder{name, pages[0], pages[1], pages[2]}), append(names, name)
	}
	if len(all) == 0 {
		problems = append(problems, fmt.Sprintf("--terraform: %s has no environments/dev, staging or prod: give the folder terraform of a "+
			"copy of the toolkit's repository", copied))
	}
	return all, names, problems
}

// askFor asks what the copy is to be called.
func askFor(env Env, c *Company, account *string) error {
	for _, each := range []struct {
		into     *string
		question string
	}{
		{&c.Project, "Project, what all names begin with"}, {&c.Domain, "Domain, the zone"}, {&c.Region, "AWS region"},
		{account, "AWS account, 12 digits, or dev=…,staging=…,prod=…"}, {&c.Toolkit, "Repository with this folder, OWNER/NAME"},
		{&c.Service, "Repository of the service, OWNER/NAME"},
	} {
		answer, err := env.Ask(each.question + " (empty leaves it): ")
		if err != nil {
			return err
		}
		*each.into = strings.TrimSpace(answer)
	}
	return nil
}
