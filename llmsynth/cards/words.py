"""What only the maker of a dataset can say of it: the `card` of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, fields

from llmsynth.errors import RecipeError


@dataclass(frozen=True, slots=True)
class CardWords:
    """Goes into the card as it is written, as Markdown. What nobody says, the card calls "not stated".

    summary: what the dataset is, below the sentence with its counts.
    intended_use, out_of_scope: what it is for, and what it must not be used for.
    bias: which biases are known of it, and of what it was made from. limits: what else it cannot do.
    validated: what was checked on real data, by whom or with what, and what came out.
    maintenance: who looks after it, how mistakes are reported, whether it will be updated. contact: whom to write to.
    model_terms: what the terms of the models that made it say of such data, and when they were read.
    license_name, license_link: of a licence that is none of the Hub's own, with `license: other`.
    source_datasets: the Hub's names of the datasets that it was made from, or "original".
    task_categories: the Hub's names of what it is for, where they aren't those that its columns tell.
    tags: further ones.
    """

    summary: str = ""
    intended_use: str = ""
    out_of_scope: str = ""
    bias: str = ""
    limits: str = ""
    validated: str = ""
    maintenance: str = ""
    contact: str = ""
    model_terms: str = ""
    license_name: str = ""
    license_link: str = ""
    source_datasets: tuple[str, ...] = ()
    task_categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, tuple) and any(not item.strip() or "\n" in item for item in value):
                raise RecipeError(f"{one.name} holds an empty name, or one of several lines", "one name each")
        if self.license_link and not self.license_name:
            raise RecipeError("license_link without license_name", "name the licence that it leads to")
