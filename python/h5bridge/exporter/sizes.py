"""Open sizes as symbols: arithmetic on them, what is asked of them, and how the form has them."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Callable, Iterator

import sympy
import torch
from sympy.logic.boolalg import BooleanAtom
from torch._dynamo.source import ConstantSource
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv
from torch.utils._sympy.functions import FloorDiv, Max, Min
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

from .conditions import Condition, MIRRORED, RELATIONS


class _Environment(ShapeEnv):
    """PyTorch's account of symbolic sizes, which tells what is asked of them, also where it knows the answer."""

    told: Callable[[sympy.Basic, sympy.Basic], None] | None = None

    def evaluate_expr(self, orig_expr: sympy.Basic, *args: Any, **kwargs: Any) -> sympy.Basic:
        answer = super().evaluate_expr(orig_expr, *args, **kwargs)
        if self.told:
            self.told(orig_expr, answer)
        return answer


class OpenText(str):
    """An open size as the form has it, and no word."""


class Sizes:
    """The open sizes of one trace, what Python asks of them, and how an expression on them is written."""

    def __init__(self, hints: dict[str, int]):
        self.environment = _Environment(duck_shape=False)
        # What Python asks stands apart from what PyTorch's kernels ask, and there a size is any number from 1 on: PyTorch's
        # own account takes sizes to be 2 at least.
        self._asked = ShapeEnv(duck_shape=False, specialize_zero_one=False)
        self.symbols: dict[str, sympy.Symbol] = {}
        self.ints: dict[str, torch.SymInt] = {}
        for name, hint in hints.items():
            source = ConstantSource(name)
            self.symbols[name] = self.environment.create_symbol(hint, source=source, dynamic_dim=DimDynamic.DYNAMIC)
            self.ints[name] = self.environment.create_symintnode(self.symbols[name], hint=hint, source=source)
            same = self._asked.create_symbol(hint, source=source, dynamic_dim=DimDynamic.DYNAMIC)
            assert same == self.symbols[name]
            self._asked.var_to_range[same] = ValueRanges(1, int_oo)
        self._names = {symbol: name for name, symbol in self.symbols.items()}
        self._hints = hints
        self._ignored: Callable[[sympy.Basic], bool] = lambda answer: False
        self.on_condition: Callable[[Condition], None] = lambda condition: None
        self.environment.told = self._told

    def _told(self, expression: sympy.Basic, answer: sympy.Basic) -> None:
        if not self._ignored(answer) and expression.free_symbols and expression.free_symbols <= self._names.keys():
            self._note(expression, answer)

    def _note(self, expression: sympy.Basic, answer: sympy.Basic, size: str = "") -> None:
        known = len(self._asked.guards)
        self._asked.evaluate_expr(expression)
        if len(self._asked.guards) > known:  # it follows from nothing before
            self.on_condition(Condition(self, expression, answer, size))

    def ask(self, expression: sympy.Basic, size: str = "") -> sympy.Basic:
        """The answer that the trace goes on with, a truth value or a number. It is a condition, as Python's own are."""
        answer = self.at(expression, self._hints)
        if expression.free_symbols:
            self._note(expression, answer, size)
        return answer

    def asks_whether(self, a: int | torch.SymInt, relation: str, b: int | torch.SymInt) -> bool:
        compared = {text: kind for kind, text in RELATIONS.items()}[relation]
        return self.ask(compared(expression_of(a), sympy.expand(expression_of(b)))) == sympy.true

    def of_symbol(self, symbol: sympy.Symbol) -> torch.SymInt:
        return self.ints[self._names[symbol]]

    def expression(self, size: torch.SymInt) -> sympy.Expr:
        """The size as an expression on the symbols, or a number."""
        return sympy.expand(size.node.expr)

    def hint(self, size: torch.SymInt) -> sympy.Basic:
        """What the size is in this trace, without asking."""
        return self.at(sympy.expand(size.node.expr), self._hints)

    def number(self, size: int | torch.SymInt) -> int:
        return int(self.ask(sympy.expand(expression_of(size))))

    # Where PyTorch's own trace would decide by the example which of two sizes is the smaller one, these leave it open.

    def smaller(self, a: int | torch.SymInt, b: int | torch.SymInt) -> int | torch.SymInt:
        return a if self.is_known(a, b) else b if self.is_known(b, a) else torch.sym_min(a, b)

    def larger(self, a: int | torch.SymInt, b: int | torch.SymInt) -> int | torch.SymInt:
        return b if self.is_known(a, b) else a if self.is_known(b, a) else torch.sym_max(a, b)

    def is_known(self, a: int | torch.SymInt, b: int | torch.SymInt) -> bool:
        """That a <= b, whatever the sizes."""
        difference = sympy.expand(expression_of(a) - expression_of(b))
        ranges = {symbol: ValueRanges(1, int_oo) for symbol in difference.free_symbols}
        while quotients := [q for q in difference.atoms(FloorDiv) if q.args[1].is_Integer and q.args[1] > 0 and not q.args[0].has(FloorDiv)]:
            dividend, divisor = quotients[0].args  # a//d is (a - r)/d with a rest r
            rest = sympy.Dummy("rest", integer=True)
            ranges[rest] = ValueRanges(0, divisor - 1)
            difference = sympy.expand(difference.xreplace({quotients[0]: (dividend - rest) / divisor}))
        return bool(bound_sympy(sympy.expand(difference * sympy.denom(sympy.together(difference))), ranges).upper <= 0)

    def part(self, extent: int | torch.SymInt, start: int | torch.SymInt | None, end: int | torch.SymInt | None, step: int = 1) -> int | torch.SymInt:
        """How many elements x[start:end:step] has of `extent`, which may be fewer than start or end."""

        def place(wanted: int | torch.SymInt) -> int | torch.SymInt:
            negative = self.at(expression_of(wanted), self._hints) < 0  # where a symbol changes this, smaller and larger ask
            return self.larger(extent + self.smaller(wanted, 0), 0) if negative else self.larger(self.smaller(wanted, extent), 0)

        if end is None:
            begin = 0 if start is None else start
            from_end = self.at(expression_of(begin), self._hints) < 0
            length = self.smaller(-self.smaller(begin, 0), extent) if from_end else self.larger(extent - self.larger(begin, 0), 0)
        elif start is None:
            length = place(end)
        else:
            ordered = all(isinstance(v, int) for v in (start, end)) and start <= end and (start < 0) == (end < 0)
            length = place(end) - place(start) if ordered else self.larger(place(end) - place(start), 0)
        return length if step == 1 else (length + step - 1) // step

    def fixed_by_trace(self) -> set[str]:
        """Symbols that Python code turned into a number, or set equal to each other."""
        return {name for name, symbol in self.symbols.items() if self.environment.replace(symbol) != symbol}

    def decided_by(self, sizes: dict[str, int]) -> set[str]:
        """Symbols in a condition (an `if` on a size, an assert) that would come out otherwise at `sizes`."""
        guards = [guard.expr for guard in self._asked.guards]
        false = [guard for guard in guards if self.at(guard, sizes) == sympy.false]
        return {self._names[symbol] for guard in false for symbol in guard.free_symbols if symbol in self._names}

    def at(self, expression: sympy.Basic, sizes: dict[str, int]) -> sympy.Basic:
        return expression.xreplace({self.symbols[name]: sympy.Integer(size) for name, size in sizes.items()})

    @contextlib.contextmanager
    def ignoring_conditions(self, but_numbers: bool = False) -> Iterator[None]:
        """What PyTorch asks of sizes inside its own functions is no property of the graph. `but_numbers`: a size that one
        takes as a number is."""
        before = self._ignored
        self._ignored = lambda answer: before(answer) or not but_numbers or isinstance(answer, BooleanAtom)
        try:
            yield
        finally:
            self._ignored = before

    def written(self, size: int | torch.SymInt | torch.SymFloat) -> int | float | str:
        """A number, or arithmetic such as "2*length + 1". Raises ValueError where + - * // don't suffice."""
        if not isinstance(size, (torch.SymInt, torch.SymFloat, torch.SymBool)):
            return size
        expression = _rounded_up(self.environment.simplify(self._without_choices(size.node.expr)))
        if expression.is_Integer and isinstance(size, torch.SymInt):
            return int(expression)
        if expression.is_number:
            return float(expression)
        return OpenText(self._print(expression, 0))

    def _without_choices(self, e: sympy.Expr) -> sympy.Expr:
        """Of the smallest or largest of sizes, the one that it is; which it is, is asked."""
        size = self.printed(e)
        while choices := [choice for choice in e.atoms(Min, Max) if not any(arg.has(Min, Max) for arg in choice.args)]:
            choice = min(choices, key=str)
            # Numbers come last, so that the question is one on open sizes.
            chosen, *others = sorted(choice.args, key=lambda arg: (arg.is_number, str(arg)))
            for other in others:
                constant, open_part = sympy.expand(chosen - other).as_coeff_Add()
                relation = sympy.Gt if choice.func is Min else sympy.Lt
                chosen = other if self.ask(relation(open_part, -constant), size) == sympy.true else chosen
            e = sympy.expand(e.xreplace({choice: chosen}))
        return e

    def _print(self, e: sympy.Expr, strength: int) -> str:
        kind = type(e).__name__
        if e.is_Integer:
            text, own = str(e), 2 if e < 0 else 3
        elif e.is_Symbol and e in self._names:
            text, own = self._names[e], 3
        elif e.is_Add:
            terms = sorted(e.args, key=lambda term: (term.is_number, self._print(term, 0)))
            text, own = " + ".join(self._print(term, 1) for term in terms).replace(" + -", " - "), 1
        elif e.is_Mul:
            text, own = "*".join(self._print(factor, 2) for factor in e.args), 2
            text = re.sub(r"^-1\*", "-", text)
        elif e.is_Pow and e.exp.is_Integer and e.exp > 0:
            text, own = "*".join([self._print(e.base, 2)] * int(e.exp)), 2
        elif kind in ("FloorDiv", "CleanDiv"):
            text, own = f"{self._print(e.args[0], 3)}//{self._print(e.args[1], 3)}", 1.5
        elif kind in ("CeilToInt", "FloorToInt") and type(e.args[0]).__name__ == "IntTrueDiv" and e.args[0].args[1].is_Integer and e.args[0].args[1] > 0:
            a, b = e.args[0].args  # math.ceil(length / 2)
            return self._print(FloorDiv(a + b - 1 if kind == "CeilToInt" else a, b), strength)
        elif kind in ("Mod", "PythonMod"):
            a, b = e.args
            text, own = f"{self._print(a, 1)} - {self._print(b, 2)}*({self._print(a, 3)}//{self._print(b, 3)})", 1
        elif kind in ("Min", "Max"):  # for people alone
            args = sorted((self._print(arg, 0) for arg in e.args), key=lambda arg: (arg.lstrip("-").isdigit(), arg))
            text, own = f"{kind.lower()}({', '.join(args)})", 3
        else:
            raise ValueError(f"it depends on an open size in a way other than + - * //: {self._renamed(e)}; int() of the size fixes it")
        return text if own >= strength else f"({text})"

    def printed(self, e: sympy.Basic) -> str:
        """A condition or a number for people, also where no architecture can say it."""
        try:
            if relation := RELATIONS.get(type(e)):
                left, right = e.args
                if left.is_number:
                    left, right, relation = right, left, MIRRORED.get(relation, relation)
                return f"{self._print(left, 0)} {relation} {self._print(right, 0)}"
            return self._print(e, 0)
        except ValueError:
            return str(self._renamed(e))

    def _renamed(self, e: sympy.Expr) -> sympy.Expr:
        return e.xreplace({symbol: sympy.Symbol(name) for symbol, name in self._names.items()})


def _rounded_up(e: sympy.Expr) -> sympy.Expr:
    """-(-a // b), which is how Python rounds up, as (a + b - 1) // b."""
    downwards = lambda q: type(q).__name__ == "FloorDiv" and q.args[1].is_Integer and q.args[1] > 0 and q.args[0].could_extract_minus_sign()  # noqa: E731
    return sympy.expand(e.replace(downwards, lambda q: -FloorDiv(q.args[1] - 1 - q.args[0], q.args[1])))


def expression_of(size: int | torch.SymInt) -> sympy.Expr:
    return size.node.expr if isinstance(size, torch.SymInt) else sympy.Integer(size)
