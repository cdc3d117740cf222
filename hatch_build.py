"""Build hook: the compiled message catalogues belong into wheel and sdist, though they are not in the repository."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledMessages(BuildHookInterface[Any]):
    """Compiles the catalogues before anything is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the results as artifacts."""
        path = Path(self.root) / "tools" / "compile_messages.py"
        spec = importlib.util.spec_from_file_location("compile_messages", path)
        if spec is None or spec.loader is None:
            raise FileNotFoundError(path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for compiled in module.compile_all(Path(self.root)):
            build_data["artifacts"].append(f"/{compiled.relative_to(self.root).as_posix()}")
