"""Questions about plans, what-ifs and suggestions; and the plant as it is this second."""
