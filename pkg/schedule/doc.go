// Package schedule reads what starts ECS tasks at set times (rules of EventBridge, and EventBridge Scheduler), tells when they run
// next, and points them at another revision of a task definition, and back.
//
// PutTargets and UpdateSchedule replace the whole of what they are given. So what is written is the document that was just read, with
// the name of the revision changed and nothing else: fields that this build has never heard of stay as they are.
package schedule
