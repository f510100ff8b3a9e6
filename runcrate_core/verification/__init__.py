"""Verification of the service: assumptions as data, probes as flows, a report of what differs."""
