package image

import "time"

// EventKind says what happened to a blob, a manifest or a tag.
type EventKind string

// The kinds of events, with the fields that each fills beside Kind and Digest.
const (
	Reused     EventKind = "reused"     // Size: the repository has this blob already
	Mounted    EventKind = "mounted"    // Size: taken over from another repository of the registry
	Compressed EventKind = "compressed" // Size, Read, Took
	Uploaded   EventKind = "uploaded"   // Size, Took
	Sending    EventKind = "sending"    // Size: bytes sent so far, of all blobs; told now and then
	Put        EventKind = "put"        // Text: the media type; a manifest was stored by its digest
	Tagged     EventKind = "tagged"     // Text: the tag
	Attached   EventKind = "attached"   // Size, Text: the artifact type; something was attached to the image
	Retried    EventKind = "retried"    // Text: what is tried again; Err, Took: the wait before it
	Noted      EventKind = "noted"      // Text: what was decided about something
	Remarked   EventKind = "remarked"   // Text: something that the reader should know and that stops nothing
)

// Event is told to an observer while images are planned and pushed.
type Event struct {
	Kind   EventKind
	Digest string
	Size   int64 // bytes, as they are stored in the registry
	Read   int64 // bytes before compression
	Took   time.Duration
	Text   string
	Err    error
}
