package main

import (
	"slices"
	"testing"
)

func TestFaults(t *testing.T) {
	at := func(id, file, resource string) finding { return finding{id, "HIGH", file, resource, "text"} }
	idle := func(what string) string {
		return "the exception from A-1 for " + what + " matches nothing: take it out"
	}
	one := exception{ID: "A-1", Paths: []string{"a.tf"}, Resources: []string{"aws_a.x"}}
	two := exception{ID: "A-1", Paths: []string{"a.tf", "b.tf"}, Resources: []string{"aws_a.x", "aws_b.y"}}
	for _, test := range []struct {
		name       string
		exceptions []exception
		found      []finding
		want       []string
	}{
		{"nothing", nil, nil, nil},
		{"excepted", []exception{one}, []finding{at("A-1", "a.tf", "aws_a.x")}, nil},
		{"of two files", []exception{two}, []finding{at("A-1", "a.tf", "aws_a.x"), at("A-1", "b.tf", "aws_b.y")}, nil},
		{"no exception", nil, []finding{at("A-1", "a.tf", "aws_a.x")}, []string{"without an exception: HIGH A-1, a.tf, aws_a.x: text"}},
		{"another check", []exception{one}, []finding{at("A-1", "a.tf", "aws_a.x"), at("A-2", "a.tf", "aws_a.x")},
			[]string{"without an exception: HIGH A-2, a.tf, aws_a.x: text"}},
		{"another file", []exception{one}, []finding{at("A-1", "a.tf", "aws_a.x"), at("A-1", "b.tf", "aws_a.x")},
			[]string{"without an exception: HIGH A-1, b.tf, aws_a.x: text"}},
		{"another resource", []exception{one}, []finding{at("A-1", "a.tf", "aws_a.x"), at("A-1", "a.tf", "aws_a.z")},
			[]string{"without an exception: HIGH A-1, a.tf, aws_a.z: text"}},
		{"matches nothing", []exception{one}, nil, []string{idle("a.tf"), idle("aws_a.x")}},
		{"matches in part", []exception{two}, []finding{at("A-1", "a.tf", "aws_a.x")}, []string{idle("aws_b.y"), idle("b.tf")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := faults(test.exceptions, test.found); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
