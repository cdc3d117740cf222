"""Questions about terminals: the picture that a tablet keeps, registered tablets, reports and conflicts."""
