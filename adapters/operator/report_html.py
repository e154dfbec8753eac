"""The report as one HTML file that needs nothing else: inline SVG, no script, nothing loaded from anywhere."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adapters.ledger.story import NothingFoundError, tell
from adapters.operator import report_svg
from adapters.operator.amounts import UNKNOWN, duration, number, signed, usd
from adapters.operator.report_json import iso
from adapters.operator.why_text import lines_of as story_lines
from models.clock import SECOND
from models.report_figures import Report

TEMPLATES: Final = Path(__file__).with_name("templates")
STORIES_MAX: Final = 20
"""Newest incidents whose whole story is told in the page."""


def write_html(report: Report, connection: sqlite3.Connection, path: Path) -> None:
    """Write the page, all or nothing. Raises `OSError`."""
    page = html_of(report, _stories(report, connection))
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)


def html_of(report: Report, stories: dict[str, str]) -> str:
    """The page. `stories` are the lines of `why` by attempt id. Every value is escaped by the template engine."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"usd": usd, "signed": signed, "number": number, "iso": _iso, "percent": _percent}
    facts = report.facts
    runs, outages = ((), ())
    if report.began is not None and report.ended is not None:
        runs, outages = report_svg.uptime_strip(facts.runs, facts.outages, report.began, report.ended)  # type: ignore[assignment]
    return environment.get_template("report.html").render(
        report=report,
        facts=facts,
        stories=stories,
        sum_costs=report_svg.sum_cost_histogram(report.sum_cost.buckets, facts.trade_line),
        latencies=report_svg.latency_histogram(facts.order_latencies_ms),
        curve=report_svg.pnl_curve(report.curve),
        runs=runs,
        outages=outages,
        up=duration(report.up_ns),
        down_seconds=f"{report.down_ns / SECOND:.1f}",
        width=report_svg.WIDTH,
        height=report_svg.HEIGHT,
        unknown=UNKNOWN,
    )


def _stories(report: Report, connection: sqlite3.Connection) -> dict[str, str]:
    stories: dict[str, str] = {}
    for event in reversed(report.facts.incidents):
        if len(stories) >= STORIES_MAX:
            break
        if event.attempt_id is not None and event.attempt_id not in stories:
            try:
                story = tell(connection, event.attempt_id)
            except NothingFoundError:
                continue
            stories[event.attempt_id] = "\n".join(story_lines(story, None, []))
    return stories


def _iso(at: int | None) -> str:
    return iso(at) or UNKNOWN


def _percent(ratio: float | None) -> str:
    return UNKNOWN if ratio is None else f"{100 * ratio:.1f} %"
