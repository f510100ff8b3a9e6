"""Registration of classes, so that LangChain loads what it dumped.

`langchain_core.load.load` makes objects of the classes in its own table only, unless it is given
the class itself; partner packages are in that table because LangChain knows them. This adds an
entry to it. Loading still needs the reader's word, as it does for every package:

```python
from langchain_core.load import dumpd, load

loaded = load(dumpd(model), allowed_objects="all", valid_namespaces=["langchain_runcrate"])
```
"""

from __future__ import annotations

import sys

from langchain_core.load.mapping import SERIALIZABLE_MAPPING


def register_class(module: str, name: str) -> None:
    """Make a class known to `load(..., allowed_objects="all")`.

    Args:
        module: The module that the class is in.
        name: The name of the class.
    """
    path = (*module.split("."), name)
    SERIALIZABLE_MAPPING[path] = path
    loader = sys.modules.get("langchain_core.load.load")
    if loader is None:
        return  # it will read the table when it is imported
    known = getattr(loader, "ALL_SERIALIZABLE_MAPPINGS", None)
    if isinstance(known, dict):
        known[path] = path
    cached = getattr(loader, "_default_class_paths_cache", {}).get("all")
    if isinstance(cached, set):
        cached.add(path)
