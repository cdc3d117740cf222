"""Plans of what is made where and when: the published one, what-ifs, and what to do when something breaks down."""
