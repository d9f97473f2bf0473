"""Pure functions from a model's reply to what it says. No reply makes one raise: what is missing is None or absent."""

from llmsynth.parsing.final_step import FinalStep, parse_final_prompt, parse_method
from llmsynth.parsing.instances import Instance, parse_alpaca, parse_input_first, parse_output_first
from llmsynth.parsing.json_values import Fitting, ParsedJson, parse_fitting, parse_json, parse_json_lines, validate
from llmsynth.parsing.judgements import Preference, parse_marks, parse_preference
from llmsynth.parsing.lists import NumberedItems, parse_numbered
from llmsynth.parsing.verdicts import parse_equality, parse_rating, parse_yes_no
from llmsynth.parsing.wrapping import fenced, unwrap, without_thinking

__all__ = [
    "FinalStep",
    "Fitting",
    "Instance",
    "NumberedItems",
    "ParsedJson",
    "Preference",
    "fenced",
    "parse_alpaca",
    "parse_equality",
    "parse_final_prompt",
    "parse_fitting",
    "parse_input_first",
    "parse_json",
    "parse_json_lines",
    "parse_marks",
    "parse_method",
    "parse_numbered",
    "parse_output_first",
    "parse_preference",
    "parse_rating",
    "parse_yes_no",
    "unwrap",
    "validate",
    "without_thinking",
]
