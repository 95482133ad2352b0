-- A saved view belongs to a project, or to all projects (NULL), as all existing views do.
CREATE TABLE views_of_projects (
  view_id    INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL COLLATE NOCASE CHECK (name <> ''),
  filters    TEXT NOT NULL,
  created_at TEXT NOT NULL,
  project_id TEXT REFERENCES projects (project_id) ON DELETE CASCADE
);
INSERT INTO views_of_projects SELECT view_id, name, filters, created_at, NULL FROM saved_views;
DROP TABLE saved_views;
ALTER TABLE views_of_projects RENAME TO saved_views;
CREATE UNIQUE INDEX saved_views_name ON saved_views (name, ifnull(project_id, ''));
