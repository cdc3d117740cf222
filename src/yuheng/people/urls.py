"""Addresses of the people context."""

from __future__ import annotations

from django.urls import path

from yuheng.people import badge_views, views

app_name = "people"
urlpatterns = [
    path("sign-in", views.sign_in, name="sign_in"),
    path("sign-in/as", views.impersonate, name="impersonate"),
    path("sign-in/oidc", views.oidc_leave, name="oidc_leave"),
    path("sign-in/oidc/return", views.oidc_return, name="oidc_return"),
    path("signed-out", views.signed_out, name="signed_out"),
    path("sign-out", views.sign_out, name="sign_out"),
    path("people", views.people, name="people"),
    path("people/new", views.new_person, name="new_person"),
    path("people/roles", views.roles, name="roles"),
    path("people/<int:person_id>", views.person, name="person"),
    path("people/<int:person_id>/names", views.rename_person, name="rename_person"),
    path("people/<int:person_id>/roles", views.assign_role, name="assign_role"),
    path("people/<int:person_id>/roles/<int:assignment_id>/withdraw", views.withdraw_role, name="withdraw_role"),
    path("people/<int:person_id>/deactivate", views.deactivate_person, name="deactivate_person"),
    path("people/<int:person_id>/reactivate", views.reactivate_person, name="reactivate_person"),
    path("people/<int:person_id>/unlock", views.unlock_person, name="unlock_person"),
    path("people/<int:person_id>/password", views.reset_password, name="reset_password"),
    path("people/<int:person_id>/badge", badge_views.issue_badge, name="issue_badge"),
    path("people/<int:person_id>/badge/withdraw", badge_views.withdraw_badge, name="withdraw_badge"),
    path("people/<int:person_id>/pin", badge_views.set_pin, name="set_pin"),
    path("account/pin", badge_views.set_own_pin, name="set_own_pin"),
    path("account", views.account, name="account"),
    path("account/password", views.password, name="password"),
    path("account/tokens", views.issue_token, name="issue_token"),
    path("account/tokens/<int:token_id>/revoke", views.revoke_token, name="revoke_token"),
    path("audit", views.audit, name="audit"),
    path("audit.csv", views.audit_file, {"kind": "csv"}, name="audit_csv"),
    path("audit.xlsx", views.audit_file, {"kind": "xlsx"}, name="audit_xlsx"),
]
