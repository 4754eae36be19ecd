"""Speaks to the share-rooms API. Imports no Django and nothing else of the project."""
