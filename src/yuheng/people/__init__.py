"""Persons, roles and permissions, sign-in, API tokens, the audit page.

``people.identity.actor_of(request)`` is how every edge learns who acts.
"""
