"""GLAN questions planned, sampled and rendered without a model: python scripts/benchmarks/glan_sampling.py [QUESTIONS].

A tree of the size the paper has: the shipped disciplines, 150 subjects each, 20 sessions of about five concepts.
"""

from __future__ import annotations

import random
import resource
import sys
import time

from llmsynth.generators._provenance import Trail
from llmsynth.generators.glan.branches import Branches, Course, Named
from llmsynth.generators.glan.method import GLAN
from llmsynth.generators.glan.reading import Session, Subject
from llmsynth.generators.glan.sampling import Combinations
from llmsynth.generators.glan.schedule import Schedule, Slot
from llmsynth.run import Run
from llmsynth.taxonomy import Names, Taxonomy
from llmsynth.text import fingerprint

SUBJECTS = 150
SESSIONS = 20
SYLLABUS_CHARACTERS = 6000
MOST_SECONDS = 60.0
MOST_BYTES = 1 << 30


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    options = GLAN(lookahead=256)
    run = Run({}, target=wanted)
    started = time.perf_counter()
    disciplines = Taxonomy.load(options.taxonomy).disciplines()
    schedule = Schedule(run, disciplines, {}, None, options.stall)
    branches = Branches(options.plan, run)
    courses: dict[tuple[Names, int], Course] = {}
    planned = two = characters = repeated = 0
    seen: set[int] = set()
    waiting: list[Slot] = []
    for slot in schedule.slots():
        key = (slot.path, slot.index % SUBJECTS)
        course = courses.get(key) or courses.setdefault(key, made_up_course(run, slot.path, key[1]))
        pick = course.next_pick(1)
        two += len(pick.sessions) == 2
        sessions = course.taken(pick)
        messages = branches.question_messages(slot.path, course.subject.name, "", course.text, sessions)
        characters += len(messages[0]["content"])
        told_apart = hash((key, pick))
        repeated += told_apart in seen
        seen.add(told_apart)
        planned += 1
        waiting.append(slot)
        if len(waiting) == options.lookahead or planned == wanted:
            for done in waiting:
                schedule.settle(done, kept=True, records=1)
                run.tally.kept += 1
            waiting.clear()
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{planned:,} questions on {len(courses):,} syllabi of {len(disciplines)} disciplines")
    print(
        f"{seconds:.1f} s ({planned / seconds:,.0f}/s), prompts of {characters / planned:,.0f} characters rendered too"
    )
    print(f"{memory / 2**20:,.0f} MiB at most")
    print(f"{two / planned:.3f} of them on two sessions, {repeated} repetitions")
    spread = schedule.kept
    print(f"{min(spread)} to {max(spread)} questions a discipline")
    sys.exit(seconds > MOST_SECONDS or memory > MOST_BYTES or repeated > 0 or planned != wanted)


def made_up_course(run: Run, path: Names, number: int) -> Course:
    key = fingerprint(*path, str(number))
    rng = random.Random(key)
    sizes = rng.choices((4, 5, 6), k=SESSIONS)
    sessions = tuple(
        Session(at, f"Session {at} of {key[:8]}", tuple(f"concept {at}.{i} of {key[:8]}" for i in range(size)))
        for at, size in enumerate(sizes, 1)
    )
    text = f"{key} syllabus ".ljust(SYLLABUS_CHARACTERS, ".")
    subject = Subject(f"Subject {number}")
    return Course(path, subject, text, sessions, Combinations(sizes, 0.5, Named(run, key)), Trail("glan"))


if __name__ == "__main__":
    main()
