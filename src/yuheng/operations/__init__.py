"""Orders on the floor: operations requests, job orders, job responses, stock and the operator's terminal."""
