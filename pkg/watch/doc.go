// Package watch shows a service on a page in the browser, live: its tasks as lanes, the rollout with its moments, the health of its
// targets, events, the end of the logs, why something fails, and what could be gone back to. It reads, and changes nothing.
//
// What is read of AWS is one value, reading. What was seen over time is another, trace. The page is a pure function of the two.
package watch
