"""The language side of the emulator: pure functions from a request to an answer.

Nothing in this package does I/O, keeps state between requests or looks at a clock. Its models are
simulations: they work on the words that they are given, by general rules, and say so when asked.
"""
