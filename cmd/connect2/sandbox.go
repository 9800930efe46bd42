package main

import "github.com/org/connect2/v2/pkg/sandbox"

func init() {
	commands = append(commands, command{
		name: "sandbox", summary: "Stand in for AWS on this machine, to rehearse releases", run: sandbox.Serve,
	})
}
