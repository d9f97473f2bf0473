"""Generators by the name recipes use. Values are `module:class`, imported when used; a third party's work too."""

GENERATORS = {
    "alpaca": "llmsynth.generators.self_instruct:Alpaca",
    "evol-instruct": "llmsynth.generators.evol_instruct:EvolInstruct",
    "glan": "llmsynth.generators.glan:GLAN",
    "self-instruct": "llmsynth.generators.self_instruct:SelfInstruct",
}
