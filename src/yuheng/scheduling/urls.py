"""Addresses of the scheduling context."""

from __future__ import annotations

from django.urls import path

from yuheng.scheduling import views

app_name = "scheduling"
urlpatterns = [
    path("dispatch/", views.dispatch, name="dispatch"),
    path("dispatch/now", views.dispatch_now, name="dispatch_now"),
    path("dispatch/plan", views.make_plan, name="make_plan"),
    path("dispatch/undo", views.undo, name="undo"),
    path("dispatch/scenarios/<int:scenario_id>", views.act_on_scenario, name="act_on_scenario"),
    path("dispatch/disturbances/<int:disturbance_id>/return", views.say_return, name="say_return"),
    path("dispatch/suggestions/<int:suggestion_id>/accept", views.accept, name="accept"),
    path("dispatch/jobs/<int:job_order_id>/move", views.move_job, name="move"),
]
