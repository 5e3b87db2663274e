"""The fault harness: real processes under a seeded nemesis, and a checker of what clients saw (``make faults``)."""
