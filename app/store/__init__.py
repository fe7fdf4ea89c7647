"""The database: jobs, segments, breakdowns, warnings and facts. Rows never leave this folder; domain values do."""
