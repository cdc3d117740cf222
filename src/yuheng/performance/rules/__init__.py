"""What a job order's log means: stages, lead times, spreads, bottlenecks. Plain Python."""
