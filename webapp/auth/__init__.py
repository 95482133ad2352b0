"""Accounts, tokens and sessions: identifies the caller of a request and checks their rights."""
