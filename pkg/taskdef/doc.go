// Package taskdef edits ECS task definitions without losing anything.
//
// The unit is the JSON document itself, as the API returned it or as a file has it. An edit touches only what it names:
// fields that this build's SDK has never heard of, empty lists, the order of members, the digits of numbers and the
// escapes in strings reach RegisterTaskDefinition as they were read. Typed models lose all of these.
package taskdef
