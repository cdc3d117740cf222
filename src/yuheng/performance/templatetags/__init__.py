"""Words of templates of performance."""
