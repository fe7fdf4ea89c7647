"""Hardware: what is here, what a stage really runs on, and how busy it is."""
