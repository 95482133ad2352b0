"""The conversation of a run: who said what, which tools were called and what they answered, agents within agents."""
