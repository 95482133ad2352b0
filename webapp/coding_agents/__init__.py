"""Coding agents that report through hooks: their payloads as events, the rules for their tools, and their answers.

Pure values and functions. `webapp.api.hooks` has the route, `webapp.acts.agent_questions` asks people.
"""
