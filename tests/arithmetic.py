"""An evaluator of plain arithmetic, independent of the package's own: ``+ - * //``, integers and given names."""

import ast
import operator
from collections.abc import Callable, Mapping

_OPERATIONS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def value_of(expression: str, names: Mapping[str, int] | None = None) -> int:
    """The value of an expression; a name is a word, or several with dots between."""
    return _value(ast.parse(expression, mode="eval").body, names or {})


def _value(node: ast.expr, names: Mapping[str, int]) -> int:
    if isinstance(node, ast.BinOp):
        return _OPERATIONS[type(node.op)](_value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name | ast.Attribute):
        return names[ast.unparse(node)]
    raise ValueError(ast.dump(node))
