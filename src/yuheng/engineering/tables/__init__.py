"""Products as tables of text: what the grids of pages and the files of imports have in common."""
