"""Blind rating by people: rows or pairs on a local page, kept in the run, with agreement and intervals.

`entries` reads what is shown, `items` chooses it, `study` says what is asked, `log` keeps every rating, `session` walks
one rater through, `server` serves the page, `report` tells what came of it.
"""

from llmsynth.rating.entries import Source
from llmsynth.rating.items import Item, choose_pairs, choose_rows
from llmsynth.rating.report import report
from llmsynth.rating.report_text import report_lines
from llmsynth.rating.server import Server
from llmsynth.rating.study import Study

__all__ = ["Item", "Server", "Source", "Study", "choose_pairs", "choose_rows", "report", "report_lines"]
