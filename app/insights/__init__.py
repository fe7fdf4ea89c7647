"""The insights feed: what is published, who wants it, and how it becomes bytes."""
