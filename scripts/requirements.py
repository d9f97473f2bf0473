"""Print what an installed package requires without extras: python scripts/requirements.py PACKAGE [LEAVE_OUT ...]."""

from __future__ import annotations

import sys
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

package, *left_out = sys.argv[1:]
for line in requires(package) or ():
    requirement = Requirement(line)
    wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if wanted and canonicalize_name(requirement.name) not in left_out:
        requirement.marker = None
        print(requirement)
