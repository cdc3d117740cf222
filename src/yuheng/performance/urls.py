"""Addresses of the performance context."""

from __future__ import annotations

from django.urls import path

from yuheng.performance.views import flow, leads, times

app_name = "performance"
urlpatterns = [
    path("flow/", flow.wip, name="wip"),
    path("flow/cumulative", flow.cumulative, name="cumulative"),
    path("flow/bottleneck", flow.bottleneck, name="bottleneck"),
    path("flow/jobs", flow.jobs, name="jobs"),
    path("flow/lead-times", leads.lead_times, name="lead_times"),
    path("flow/lead-times/<int:request_id>", leads.lead_path, name="lead_path"),
    path("flow/times", times.steps, name="times"),
    path("flow/step", times.step, name="step"),
    path("flow/propose", times.propose, name="propose"),
]
