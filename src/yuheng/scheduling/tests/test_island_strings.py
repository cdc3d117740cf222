"""Every sentence of the islands is declared and still used."""

import re
from pathlib import Path

from yuheng.scheduling.island_strings import STRINGS

MODULES = Path(__file__).resolve().parent.parent / "static" / "scheduling"
USED = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"')


def test_every_sentence_of_the_islands_is_declared_and_every_declared_one_is_used():
    used = {sentence for path in MODULES.glob("*.js") for sentence in USED.findall(path.read_text(encoding="utf-8"))}
    assert used == set(STRINGS)
