"""The `emit_*` methods for tags and links."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from signalbox.store.emitter.fit_labels import fitting_tags
from signalbox.store.tags import check_links, check_tags, readable_links

R = TypeVar("R")


class LabelVocabulary(ABC, Generic[R]):
    """The part of `Vocabulary` for tags and links."""

    strict = False

    @abstractmethod
    def emit(self, task_id: str, event_type: str, span_id: str | None = None, **fields: Any) -> R:
        """Append an event of any type."""

    def emit_tags_changed(self, task_id: str, tags: Mapping[str, Any], **fields: Any) -> R:
        """Set tags of the task. The value None removes a tag."""
        changes = check_tags(tags, removing=True) if self.strict else fitting_tags(tags)
        return self.emit(task_id, "tags_changed", tags=changes, **fields)

    def emit_links_changed(self, task_id: str, links: Mapping[str, Any], **fields: Any) -> R:
        """Set links of the task, by name. The value None removes a link."""
        changes = check_links(links, removing=True) if self.strict else readable_links(links)
        return self.emit(task_id, "links_changed", links=changes, **fields)
