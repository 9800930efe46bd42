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

resource "aws_appautoscaling_policy" "this" {
  for_each = var.capacity.autoscaling ? {
    cpu    = { metric = "ECSServiceAverageCPUUtilization", target = var.capacity.cpu_target }
    memory = { metric = "ECSServiceAverageMemoryUtilization", target = var.capacity.memory_target }
  } : {}

  name               = "${var.service_name}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = each.value.target
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = each.value.metric
    }
  }
}
