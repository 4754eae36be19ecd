"""A simulated share-rooms API over real HTTP: for the demo, for tests, for load."""
