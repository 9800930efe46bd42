// Command trivy makes Trivy's checks of the Terraform configuration, which are embedded in it: nothing is downloaded. Each environment
// is looked at with its variables, and each module that none of them calls. What is HIGH or CRITICAL fails, but for the exceptions of
// terraform/.trivyignore.yaml: they name the file, as Trivy itself reads them, and the resource. One that matches nothing fails too.
//
// It is Trivy's own scanner without the rest of Trivy, whose program takes minutes to compile and 300 MB.
//
//	trivy ROOT   the repository's root
package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/aquasecurity/trivy/pkg/iac/rego"
	"github.com/aquasecurity/trivy/pkg/iac/scan"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/options"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/terraform"
	"github.com/aquasecurity/trivy/pkg/iac/severity"
)

const configuration = "terraform"

// exception is one entry of the file. Trivy knows no resources, and passes over what it does not know.
type exception struct {
	ID        string   `yaml:"id"`
	Paths     []string `yaml:"paths"`     // as Trivy has them, from the folder of the configuration
	Resources []string `yaml:"resources"` // TYPE.NAME
	Statement string   `yaml:"statement"`
}

// finding is what Trivy says of one resource in one file.
type finding struct{ id, severity, file, resource, text string }

func (f finding) String() string {
	return fmt.Sprintf("%s %s, %s, %s: %s", f.severity, f.id, f.file, f.resource, f.text)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: trivy ROOT")
		os.Exit(2)
	}
	if err := run(os.DirFS(os.Args[1])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(root fs.FS) error {
	exceptions, err := read(root)
	if err != nil {
		return err
	}
	found := map[finding]bool{}
	folders, err := fs.Glob(root, configuration+"/environments/*")
	if err != nil {
		return err
	}
	for _, module := range []string{"state-bucket", "secret-rotation"} { // no environment calls them by default
		folders = append(folders, path.Join(configuration, "modules", module))
	}
	for _, folder := range folders {
		all, err := look(root, folder)
		if err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
		for _, f := range all {
			found[f] = true
		}
		fmt.Printf("%s: %d findings that are high\n", folder, len(all))
	}
	bad := faults(exceptions, slices.Collect(maps.Keys(found)))
	for _, text := range bad {
		fmt.Println(text)
	}
	if len(bad) > 0 {
		return fmt.Errorf("%d faults; exceptions are in %s/.trivyignore.yaml", len(bad), configuration)
	}
	fmt.Printf("nothing high but for %d exceptions, each of which matches\n", len(exceptions))
	return nil
}

// faults says which findings have no exception, and what of an exception matches no finding.
func faults(exceptions []exception, found []finding) (list []string) {
	used := make([]map[string]bool, len(exceptions))
	for _, f := range found {
		i := slices.IndexFunc(exceptions, func(e exception) bool { return e.covers(f) })
		if i < 0 {
			list = append(list, "without an exception: "+f.String())
			continue
		}
		if used[i] == nil {
			used[i] = map[string]bool{}
		}
		used[i][f.file], used[i][f.resource] = true, true
	}
	for i, e := range exceptions {
		for _, name := range slices.Concat(e.Paths, e.Resources) {
			if !used[i][name] {
				list = append(list, fmt.Sprintf("the exception from %s for %s matches nothing: take it out", e.ID, name))
			}
		}
	}
	slices.Sort(list)
	return list
}

func read(root fs.FS) ([]exception, error) {
	text, err := fs.ReadFile(root, configuration+"/.trivyignore.yaml")
	if err != nil {
		return nil, err
	}
	var list struct {
		Misconfigurations []exception `yaml:"misconfigurations"`
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	return list.Misconfigurations, nil
}

func (e exception) covers(f finding) bool {
	return e.ID == f.id && slices.Contains(e.Paths, f.file) && slices.Contains(e.Resources, f.resource)
}

// address is a resource's type and name within an address, whatever module it is in.
var address = regexp.MustCompile(`aws_[a-z0-9_]+\.[A-Za-z0-9_-]+`)

func look(root fs.FS, folder string) ([]finding, error) {
	opts := []options.ScannerOption{rego.WithEmbeddedPolicies(true), rego.WithEmbeddedLibraries(true)}
	variables := path.Join(folder, path.Base(folder)+".tfvars")
	if _, err := fs.Stat(root, variables); err == nil {
		opts = append(opts, terraform.ScannerWithTFVarsPaths(variables), terraform.ScannerWithConfigsFileSystem(root))
	}
	results, err := terraform.New(opts...).ScanFS(context.Background(), root, folder)
	if err != nil {
		return nil, err
	}
	var all []finding
	for _, r := range results {
		rule := r.Rule()
		if r.Status() != scan.StatusFailed || r.Severity() != severity.High && r.Severity() != severity.Critical {
			continue
		}
		metadata := r.Metadata()
		resource := ""
		for at := &metadata; at != nil && resource == ""; at = at.Parent() { // a block or an attribute lies within its resource
			resource = address.FindString(at.Reference())
		}
		all = append(all, finding{
			rule.AVDID, string(r.Severity()), strings.TrimPrefix(r.Range().GetFilename(), configuration+"/"), resource, rule.Summary,
		})
	}
	return slices.Compact(all), nil
}
