"""Generators by the name recipes use. Values are `module:class`, imported when used; a third party's work too."""

GENERATORS = {
    "alpaca": "llmsynth.generators.self_instruct:Alpaca",
    "evol-instruct": "llmsynth.generators.evol_instruct:EvolInstruct",
    "glan": "llmsynth.generators.glan:GLAN",
    "rows": "llmsynth.generators.rows:Rows",
    "self-instruct": "llmsynth.generators.self_instruct:SelfInstruct",
}


def name_of(generator: object) -> str:
    """What a recipe calls a generator: its name here, or its `module:class`."""
    cls = type(generator)
    for name, target in GENERATORS.items():
        module, _, attribute = target.partition(":")
        if attribute == cls.__name__ and f"{cls.__module__}.".startswith(f"{module}."):
            return name
    return f"{cls.__module__}:{cls.__qualname__}"
