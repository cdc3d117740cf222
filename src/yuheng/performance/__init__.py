"""How the floor performs: measured times, flow, bottlenecks. Follows operations; changes nothing there."""
