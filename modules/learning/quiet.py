"""Import a package without the heavy optional ones that it would pull in for its own convenience.

TA-Lib imports pandas (111 MB resident instead of 33), LightGBM imports pandas, scikit-learn and matplotlib (195 MB)
only to accept their types, which we never pass.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Within the block, importing any of `names` fails as if it were not installed.

    What is already imported is left alone: hiding it would save nothing and could split a package in two.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
