"""The infrastructure calls as tools for agents: written once, for every framework."""
