"""Spending by agents: limits, plans, the ledger, the guard, and sessions that clean up."""
