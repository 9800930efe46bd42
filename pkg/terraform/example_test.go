package terraform_test

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/terraform"
)

// plan is what `terraform show -json PLANFILE` writes, less what nobody here looks at.
const plan = `{
  "format_version": "1.2",
  "resource_changes": [
    {"address": "aws_db_instance.orders", "mode": "managed", "type": "aws_db_instance",
     "change": {"actions": ["delete", "create"], "replace_paths": [["identifier"]],
                "before": {"id": "orders", "identifier": "orders", "password": "hunter2"},
                "after": {"identifier": "orders-2", "password": "hunter3"}, "after_unknown": {"id": true}}},
    {"address": "aws_ecs_service.api", "mode": "managed", "type": "aws_ecs_service",
     "change": {"actions": ["update"], "before": {"desired_count": 2}, "after": {"desired_count": 3}}}
  ]
}`

func ExampleReadPlan() {
	p, err := terraform.ReadPlan(strings.NewReader(plan))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range p.Changes {
		fmt.Println(c.Action, c.Address)
		for _, line := range c.Lines() {
			fmt.Println("  " + line)
		}
	}
	// Output:
	// replace aws_db_instance.orders
	//   ! id = "orders" -> (known after apply)
	//   ! identifier = "orders" -> "orders-2"   # forces the replacement
	//   ! password = (sensitive) -> (sensitive)
	// update aws_ecs_service.api
	//   ! desired_count = 2 -> 3
}

func ExampleNewReview() {
	p, err := terraform.ReadPlan(strings.NewReader(plan))
	if err != nil {
		fmt.Println(err)
		return
	}
	r := terraform.NewReview(p)
	fmt.Println(r.Totals)
	for _, f := range r.Findings {
		fmt.Printf("%s: %s: %s\n", f.Risk, f.Address, f.Text)
	}
	for _, f := range r.Services {
		fmt.Printf("%s %s\n", f.Address, f.Text)
	}
	// Output:
	// 1 to add, 1 to change, 1 to destroy, 1 of them replaced
	// Data loss: aws_db_instance.orders: replaced: the database is destroyed and made empty, because identifier changes
	// aws_ecs_service.api changes without new tasks
}

// A review as a report: whoever shows it decides how headings, tables and folds look, and where it is cut.
func ExampleReview_Section() {
	p, err := terraform.ReadPlan(strings.NewReader(plan))
	if err != nil {
		fmt.Println(err)
		return
	}
	var outline func(s record.Section, indent string)
	outline = func(s record.Section, indent string) {
		fmt.Println(indent + s.Title)
		for _, block := range s.Blocks {
			if block.Section != nil {
				outline(*block.Section, indent+"  ")
			}
		}
	}
	outline(terraform.NewReview(p).Section("Plan of prod"), "")
	// Output:
	// Plan of prod
	//   Risks
	//   Running services
	//   By resource
	//     -/+ aws_db_instance.orders
	//     ~ aws_ecs_service.api
}

// A plan that is applied later must be the one that was reviewed. Its digest may be shown: secrets cannot be guessed from it.
func ExamplePlan_Digest() {
	reviewed, err := terraform.ReadPlan(strings.NewReader(plan))
	if err != nil {
		fmt.Println(err)
		return
	}
	later, err := terraform.ReadPlan(strings.NewReader(strings.Replace(plan, "hunter3", "hunter4", 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	binding := terraform.Binding{Configuration: "the hash of the files", Versions: "terraform 1.11.4"}
	digest, err := terraform.ParseDigest(reviewed.Digest(binding).String()) // as it was handed to the run that applies
	if err != nil {
		fmt.Println(err)
		return
	}
	now := later.Digest(binding)
	fmt.Println(now.Same(digest), now.Differs(digest))
	// Output: false [the values that resources get, or had]
}

// What holds data is not destroyed unless somebody names it.
func ExampleGuard_Check() {
	p, err := terraform.ReadPlan(strings.NewReader(plan))
	if err != nil {
		fmt.Println(err)
		return
	}
	violations, _ := terraform.Guard{Protect: []string{"stateful"}}.Check(p)
	for _, v := range violations {
		fmt.Printf("%s: %s, although %s is protected\n", v.Address, v.Action, v.Protected)
	}
	violations, idle := terraform.Guard{Protect: []string{"stateful"}, Allow: []string{"aws_db_instance.orders", "aws_s3_bucket.old"}}.Check(p)
	fmt.Println(len(violations), "violations; not needed:", idle)
	// Output:
	// aws_db_instance.orders: replace, although aws_db_instance is protected
	// 0 violations; not needed: [aws_s3_bucket.old]
}
