# A service is born with no tasks and with a scalable target that asks for none, because the template's image does not
# exist: a task started from it could only fail. The first release starts the tasks. From then on what runs is no longer
# the template, the next apply sees that, and the bounds become those of the variables. Registering bounds moves the
# count into them at once, which is also how a changed count takes effect where there is no autoscaling.
locals {
  released = !startswith(reverse(split("/", aws_ecs_service.this.task_definition))[0], "${aws_ecs_task_definition.template.family}:")
}

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster.name}/${aws_ecs_service.this.name}"
  min_capacity       = local.released ? var.capacity.min : 0
  max_capacity       = var.capacity.max

  # Between the first release and the next apply the lower bound is still 0: nothing may scale in to it.
  suspended_state {
    dynamic_scaling_in_suspended  = !local.released
    dynamic_scaling_out_suspended = false
    scheduled_scaling_suspended   = false
  }
}

locals {
  policies = { for name, policy in {
    cpu    = { metric = "ECSServiceAverageCPUUtilization", target = var.capacity.cpu_target }
    memory = { metric = "ECSServiceAverageMemoryUtilization", target = var.capacity.memory_target }
    queue  = { metric = null, target = try(var.capacity.queue.per_task, 0) }
  } : name => policy if var.capacity.autoscaling && policy.target > 0 }
}

resource "aws_appautoscaling_policy" "this" {
  for_each = local.policies

  name               = "${var.service_name}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = each.value.target
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    dynamic "predefined_metric_specification" {
      for_each = each.value.metric[*]

      content {
        predefined_metric_type = predefined_metric_specification.value
      }
    }

    # What waits, for each task that runs: the length of the queue alone would never come down to a target by more tasks.
    dynamic "customized_metric_specification" {
      for_each = each.key == "queue" ? [var.capacity.queue] : []

      content {
        metrics {
          id          = "waiting"
          label       = "what waits in the queue"
          return_data = false

          metric_stat {
            stat = customized_metric_specification.value.statistic

            metric {
              namespace   = customized_metric_specification.value.namespace
              metric_name = customized_metric_specification.value.metric

              dynamic "dimensions" {
                for_each = customized_metric_specification.value.dimensions

                content {
                  name  = dimensions.key
                  value = dimensions.value
                }
              }
            }
          }
        }

        metrics {
          id          = "tasks"
          label       = "tasks that run"
          return_data = false

          metric_stat {
            stat = "Average"

            metric {
              namespace   = "ECS/ContainerInsights"
              metric_name = "RunningTaskCount"

              dimensions {
                name  = "ClusterName"
                value = var.cluster.name
              }

              dimensions {
                name  = "ServiceName"
                value = var.service_name
              }
            }
          }
        }

        metrics {
          id          = "per_task"
          label       = "what waits, for each task"
          expression  = "waiting / IF(tasks > 0, tasks, 1)"
          return_data = true
        }
      }
    }
  }
}
