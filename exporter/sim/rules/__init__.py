"""What cannot be: stories, states and changes that no real cluster shows, and that the simulator therefore refuses.

`stories` reads scenarios before they begin, `states` all objects at one moment, `changes` one change of one object.
Each rule is a small function from what it reads to what is wrong with it, in words.
"""

from __future__ import annotations


class Impossible(ValueError):
    """A world that cannot be. `problems` has one sentence for each rule that is broken."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
