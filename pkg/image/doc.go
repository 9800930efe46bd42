// Package image reads container images from where builds leave them and puts them into a registry, sending only what the
// registry lacks.
//
// Reading starts with [Open], which takes an OCI layout, a docker save archive, the Docker daemon or a registry reference
// and checks the whole structure before anything else happens. Writing is split in two: [NewPlan] only reads and knows
// afterwards which tags would move and which blobs would be sent; [Plan.Execute] does it, with the tags last.
//
// Naming is here as well: [ParseReference], [Complete] and [Registries.Resolve] turn what people write for an image into the
// digest that a deployment can be pinned to.
package image
