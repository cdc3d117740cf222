"""People: persons, roles, qualifications, sign-in, tokens."""
