"""Costs of a client, measured side by side with its peers."""
