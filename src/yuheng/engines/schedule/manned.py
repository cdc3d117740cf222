"""Whether the people present can fill what is asked for at one tick: a matching, for the checker.

People of the same skills are interchangeable, and most ticks ask the same few things of the same people: so people are
counted by kind, and each question is answered once. The engines see people otherwise (`people`, by Hall's theorem):
the checker must not share their mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence

from yuheng.engines.schedule.parts import Id


class Crew:
    """People counted by what they can do, and what is asked of them now.

    Parameters
    ----------
    skills
        Those that anything asks for; others do not matter.
    people
        The skills of each person.

    Attributes
    ----------
    kind
        Of each person: index into ``there``; -1: has none of the skills.
    there
        People of each kind present.
    needs
        Units asked for of each skill.
    """

    def __init__(self, skills: Sequence[Id], people: Sequence[Sequence[Id]]) -> None:
        self.skills = list(skills)
        place = {skill: s for s, skill in enumerate(self.skills)}
        kinds: dict[tuple[int, ...], int] = {}
        self.kind: list[int] = []
        for able in people:
            does = tuple(sorted({place[skill] for skill in able if skill in place}))
            self.kind.append(kinds.setdefault(does, len(kinds)) if does else -1)
        self.there = [0] * len(kinds)
        self.needs = [0] * len(self.skills)
        # Who can do the least else comes first: then few have to change places.
        by_range = sorted(kinds.items(), key=lambda row: len(row[0]))
        self._able = [[g for does, g in by_range if s in does] for s in range(len(self.skills))]
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}

    def filled(self, needs: Sequence[int]) -> int:
        """Return how many of the needs can find a person of their own, all at once."""
        key = (tuple(needs), tuple(self.there))
        if key not in self._known:
            self._known[key] = self._match(key[0])
        return self._known[key]

    def _match(self, needs: tuple[int, ...]) -> int:
        """Fill what can be filled at once, then along augmenting paths (Kuhn 1955) over kinds of people."""
        left = list(self.there)
        held = [[0] * len(self.skills) for _kind in left]
        """Of each kind: how many serve each skill."""
        open_needs = list(needs)
        for s in range(len(needs)):
            for g in self._able[s]:
                units = min(open_needs[s], left[g])
                open_needs[s] -= units
                left[g] -= units
                held[g][s] += units

        def place(s: int, tried: set[int]) -> bool:
            for g in self._able[s]:
                if g in tried:
                    continue
                tried.add(g)
                if left[g]:
                    left[g] -= 1
                    held[g][s] += 1
                    return True
                for other, units in enumerate(held[g]):
                    if units and other != s and place(other, tried):
                        held[g][other] -= 1
                        held[g][s] += 1
                        return True
            return False

        for s in range(len(needs)):
            while open_needs[s] and place(s, set()):
                open_needs[s] -= 1
        return sum(needs) - sum(open_needs)
