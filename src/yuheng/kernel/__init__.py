"""What every context shares: organisation, site, actor, errors, events, outbox, audit, units, clocks."""
