"""Agent tools for the infrastructure API, defined once for every framework."""
