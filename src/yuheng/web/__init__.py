"""Pages, static islands and live streams. Each page is a plain page first; what moves is an island."""
