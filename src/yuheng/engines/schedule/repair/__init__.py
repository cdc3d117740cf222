"""After a disturbance: a valid plan at once, a better one soon, and different ones to choose from."""
