"""What is made and how: material definitions, bills of material and work masters, with versions and changes."""
