"""The nouns of Sightline: pure values with no input or output and no framework."""
