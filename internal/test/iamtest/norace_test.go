//go:build !race

package iamtest

const raceDetector = false
