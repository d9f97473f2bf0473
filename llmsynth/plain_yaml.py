"""`PlainLoader`: YAML as people mean it, who know no version of it by heart."""

from __future__ import annotations

import re

import yaml


class PlainLoader(yaml.SafeLoader):
    """YAML in which only true and false are truth values, as in version 1.2 of it.

    In version 1.1, `on: [instruction]` would have the key True, and `language: [no]` would name no language. As in
    JSON, two escapes may stand for one character.
    """

    def construct_whole(self, node: yaml.ScalarNode) -> str:
        """The text of a node, in whole characters; half of one alone is left to whoever can say where it is."""
        text = str(self.construct_scalar(node))
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:[tT]rue|TRUE|[fF]alse|FALSE)$"), list("tTfF")
)
PlainLoader.add_constructor("tag:yaml.org,2002:str", PlainLoader.construct_whole)
