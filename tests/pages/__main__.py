# SPDX-License-Identifier: Apache-2.0

"""Record the outputs in the console blocks of pages anew.

    python -m tests.pages doc/source/user/tutorial.rst ...

Without a page: of all pages. What is not run stays as it is.
"""

import pathlib
import sys

from tests import cloud as clouds
from tests.pages import blocks
from tests.pages import play


def main() -> int:
    """Write them, and return the exit code."""
    pages = [pathlib.Path(name).resolve() for name in sys.argv[1:]]
    with clouds.Cloud.start(hosts=4) as cloud:
        for page in pages or play.played():
            print(page.relative_to(blocks.ROOT), flush=True)
            blocks.write(page, play.play(page, cloud, 1.0))
            cloud.purge()
    return 0


if __name__ == '__main__':
    sys.exit(main())
