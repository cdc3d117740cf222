"""Settings, urls, the one API object, the `yuheng` command, its supervisor and processes."""
