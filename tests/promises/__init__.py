"""What Sightline promises to others: each promise held against its baseline, and against the running program."""
