"""Images and regions on their way to the device."""

import logging

# Without a handler, Python prints what Pillow logs of odd files to stderr, once for each file and epoch. What matters
# of it is raised too. A program that sets up logging still sees it.
logging.getLogger("PIL").addHandler(logging.NullHandler())
