"""A small InstructLab taxonomy of our own: two kinds of skills, and knowledge."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

SKILL = """\
version: 2
task_description: Teach the model to rhyme.
created_by: somebody
seed_examples:
  - question: What rhymes with moon?
    answer: |
      Spoon.
      And June.
  - question: Does "cat" rhyme with "hat"?
    answer: Yes
"""
GROUNDED = """\
version: 2
task_description: ''
created_by: somebody
seed_examples:
  - context: |
      apples  3
      pears   4
    question: How much fruit is there?
    answer: 7
  - question: 'how much  fruit is there?'
    context: plums 2
    answer: '2'
"""
KNOWLEDGE = """\
version: 3
domain: astronomy
created_by: somebody
seed_examples:
  - context: &moons |
      Mars has two moons, Phobos and Deimos.
    questions_and_answers:
      - question: How many moons has Mars?
        answer: Two.
      - question: Which is the first of the moons of Mars?
        answer: Phobos.
  - context: *moons
    questions_and_answers:
      - question: Which is the second one?
        answer: Deimos.
document_outline: The moons of Mars.
document:
  repo: https://example.org/never/fetched
  commit: 0abc
  patterns: ['../../../etc/passwd', '*.md']
"""


def leaf(folder: Path, place: str, text: str) -> Path:
    path = folder / place / "qna.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


def small_tree(root: Path) -> Path:
    """Three leaves, six tasks, seven examples; and a file and a hidden folder that are none of it."""
    leaf(root, "compositional_skills/writing/rhyme", SKILL)
    leaf(root, "compositional_skills/grounded/counting", GROUNDED)
    leaf(root, "knowledge/science/mars", KNOWLEDGE)
    (root / "README.md").write_text("no leaf")
    leaf(root, ".git/hidden", "this: is never read")
    return root
