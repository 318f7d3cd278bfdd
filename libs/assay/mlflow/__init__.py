"""Imports of MLflow's model registry: read over REST, written as claims, compared at the end."""
