"""Everything that speaks HTTP: the API, the feed and the pages."""
