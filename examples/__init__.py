"""Programs to start from; `python -m examples` runs them all."""
