"""What a forward asks of open sizes, as a line for its reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy
from sympy.logic.boolalg import BooleanAtom

if TYPE_CHECKING:
    from .sizes import Sizes

RELATIONS = {sympy.Gt: ">", sympy.Ge: ">=", sympy.Lt: "<", sympy.Le: "<=", sympy.Eq: "==", sympy.Ne: "!="}
MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}


@dataclass(frozen=True)
class Condition:
    """What Python asked of open sizes (in an `if`, an assert, a min), and what it was told: no other sizes get another answer."""

    sizes: Sizes
    expression: sympy.Basic
    answer: sympy.Basic
    size: str = ""  # that hangs on it, where no Python asked
    where: str = ""

    @property
    def question(self) -> str:
        asked = self.sizes.printed(self.expression)
        what = f"asks whether {asked}" if isinstance(self.answer, BooleanAtom) else f"takes {asked} for a number"
        return f"{self.where}: " + (f"the size {self.size} " if self.size else "") + what

    def is_on(self, name: str) -> bool:
        return self.sizes.symbols[name] in self.expression.free_symbols

    def written(self, example: dict[str, int]) -> str:
        """`example`: the example's own sizes, which the trace need not have been run at."""
        as_example = self.sizes.at(self.expression, example) == self.answer
        like = "for the example" if as_example else "for sizes other than the example's"
        answer = {sympy.true: "yes", sympy.false: "no"}.get(self.answer, self.answer)
        return f"{self.question}, and goes on as {like}: {answer}"
