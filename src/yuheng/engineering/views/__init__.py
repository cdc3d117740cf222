"""The HTML edge: pages of products, their versions and changes."""
