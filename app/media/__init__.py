"""Files and folders in, frames and pictures out: probe, sources, previews, storage."""
