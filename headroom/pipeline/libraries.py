"""Imported by the server that workers are forked from: the large libraries, and no operation of theirs."""

from headroom.pipeline.starting import import_libraries

import_libraries()
