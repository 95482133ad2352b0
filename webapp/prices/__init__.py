"""The prices of models and the budgets of runs, as the operator sets them. There are no built-in prices."""
