"""Domain objects turned into what templates read: plain views with words, no rows and no logic left to do."""
