"""Decisions without I/O: what to send, whether to repeat it, what a response means."""
