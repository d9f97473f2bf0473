"""Print three rows of a dataset folder, evenly spread: python scripts/samples.py DATASET."""

from __future__ import annotations

import sys

import datasets

datasets.disable_progress_bars()
rows = datasets.load_dataset(sys.argv[1], split="train")
print(f"{rows.num_rows} rows. Three of them:")
for position in (0, rows.num_rows // 2, rows.num_rows - 1):
    row = rows[position]
    print(f"\n  instruction  {row['instruction']}")
    if row["input"]:
        print(f"  input        {row['input']}")
    print(f"  output       {row['output']}")
