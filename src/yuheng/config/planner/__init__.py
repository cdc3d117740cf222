"""The planner process: answers what stands within a second, and lets a child solve what somebody asked for."""
