"""The templates: one Jinja environment with the functions and constants that they use."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from signalbox.store.events import KNOWN_EVENTS, is_claim
from signalbox.store.identity import reference_to
from signalbox.store.path_segments import segment
from signalbox.store.state import STATUSES
from signalbox.webapp.drawing import ansi, ids
from signalbox.webapp.drawing.compiled_templates import CompiledTemplates
from signalbox.webapp.drawing.compiling import DirectCode
from signalbox.webapp.drawing.conversation import payload_slot, said_in, shown_arguments, shown_value
from signalbox.webapp.drawing.evidence_refs import CARD_REFS, PAGE_REFS, shown_refs
from signalbox.webapp.drawing.excerpts import Excerpts
from signalbox.webapp.drawing.junit_messages import with_messages
from signalbox.webapp.drawing.links import linked
from signalbox.webapp.drawing.log_rows import LogRows, columns
from signalbox.webapp.drawing.markdown import markdown_html
from signalbox.webapp.drawing.payload.viewer import PayloadViewer
from signalbox.webapp.drawing.run_chart import run_chart
from signalbox.webapp.drawing.span_kinds import kind_class, kind_icon, kind_legend, kind_words
from signalbox.webapp.drawing.span_names import span_name
from signalbox.webapp.drawing.sparkline import bars, line_points
from signalbox.webapp.http import assets
from signalbox.webapp.http.log_reading import CHOICES
from signalbox.webapp.prices.budget import Budgets, dollars
from signalbox.webapp.prices.price_table import Prices
from signalbox.webapp.views import text
from signalbox.webapp.views.addresses import as_of, log_path_around, newest_position, of_task
from signalbox.webapp.views.answer_form import MAX_CARD_CHARS, answer_form, fixed_arguments
from signalbox.webapp.views.answered import answered_value
from signalbox.webapp.views.compared_output import MAX_LINES
from signalbox.webapp.views.list_query import AGES, ORDERS, VIEWS, bound, list_fields, list_filters, list_url
from signalbox.webapp.views.search_query import search_fields, search_filters, search_url
from signalbox.webapp.views.usage_text import cost_text, tokens_words, usage_text

TEMPLATES = Path(__file__).parent.parent / "templates"

HTMX_CONFIG = {"extensions": "sse, keep-open", "includeIndicatorCSS": False, "history": False}


class _Environment(Environment):
    """An environment whose templates share one dict of globals, because none has globals of its own.

    Jinja gives each template a ChainMap instead, which it copies for each rendering and compares for each import. That
    takes longer than to render a short template.
    """

    code_generator_class = DirectCode

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return self.globals if d is None else super().make_globals(d)


class Templates:
    """Renders templates. `asset` turns a path below `static/` into its address; `root` begins every address.

    `prices` and `budgets` are those that the operator set.
    """

    def __init__(
        self, asset: Callable[[str], str], root: str = "", prices: Prices | None = None, budgets: Budgets | None = None
    ) -> None:
        self._root = root
        prices, budgets = prices or Prices(), budgets or Budgets()

        self._environment = _Environment(
            loader=FileSystemLoader(TEMPLATES),
            bytecode_cache=CompiledTemplates("autoescape trim_blocks lstrip_blocks"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            auto_reload=False,
            cache_size=-1,
        )
        times = (text.moment, text.date_of, text.between, text.elapsed, text.duration, text.precise, text.offset)
        shared = (text.display_text, text.command_line, text.size, *times, text.count, text.percent, text.plural)
        self._environment.globals.update(
            {function.__name__: function for function in shared},
            ids=ids,
            asset=lambda path: f"{root}{asset(path)}",
            root=root,
            inlined=assets.inlined,
            list_url=lambda *args, **changes: f"{root}{list_url(*args, **changes)}",
            list_fields=list_fields,
            list_filters=list_filters,
            search_url=lambda *args, **changes: f"{root}{search_url(*args, **changes)}",
            search_fields=search_fields,
            search_filters=search_filters,
            bound=bound,
            bars=bars,
            line_points=line_points,
            kind_class=kind_class,
            kind_icon=kind_icon,
            kind_legend=kind_legend,
            kind_words=kind_words,
            span_name=span_name,
            ages=AGES,
            orders=ORDERS,
            built_in_views=VIEWS,
            statuses=STATUSES,
            htmx_config=msgspec.json.encode(HTMX_CONFIG).decode(),
            event_types=KNOWN_EVENTS,
            is_claim=is_claim,
            place="",
            log_path_around=log_path_around,
            as_of=as_of,
            newest_position=newest_position,
            of_task=of_task,
            reference_to=reference_to,
            coloured=ansi.render,
            said_in=said_in,
            shown_value=shown_value,
            shown_arguments=shown_arguments,
            payload_slot=payload_slot,
            usage_text=lambda usage: usage_text(usage, prices.cost(usage)),
            tokens_words=tokens_words,
            cost_of=prices.cost,
            cost_text=cost_text,
            run_chart=run_chart,
            dollars=dollars,
            markdown=markdown_html,
            budget_of=budgets.of,
            over_budget=lambda task: budgets.exceeded(task, prices),
            columns=columns,
            excerpts=Excerpts,
            shown_refs=shown_refs,
            with_messages=with_messages,
            card_refs=CARD_REFS,
            page_refs=PAGE_REFS,
            reading_choices=CHOICES,
            max_output_lines=MAX_LINES,
            time_travel=None,
            at=None,
            answer_form=answer_form,
            sent_form=None,
            has_long_form=False,
            max_card_chars=MAX_CARD_CHARS,
            answered_value=answered_value,
            fixed_arguments=fixed_arguments,
        )
        self._environment.filters["segment"] = segment
        self._environment.filters["linked"] = linked
        self._environment.filters["first_upper"] = text.first_upper
        self._rows = LogRows(self._environment)
        self._environment.globals.update(hits=self._rows.hits, neighbours=self._rows.render)
        self.payload_viewer = PayloadViewer(self._environment)
        self._environment.globals.update(payload_viewer=self.payload_viewer.of_event)

    def _render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(**values)

    def _render_page(self, template: str, layout: dict[str, Any], **values: Any) -> str:
        """Return a whole page. `layout` has the values of `pages.responses.layout`, or some of them."""
        return self._render(template, **values, page={**_LAYOUT, **layout})


_LAYOUT = {
    "person": "",
    "permissions_open": 0,
    "epoch": "",
    "zone": "",
    "server_time": "",
    "administrates": False,
    "heartbeat": 15,
    "reading": (),
    "base_url": "http://127.0.0.1:8000",
}


def _finalize(value: Any) -> Any:
    return text.clean(value) if type(value) is str else value
