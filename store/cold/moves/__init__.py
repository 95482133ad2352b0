"""Moving tasks between a database and cold files. `store.sql.cold_tasks` has the stages and their transactions."""
