"""Lists the mutants of modules, a line of JSON each, in an environment that has Cosmic Ray: `list_mutants.py ROOT MODULE…`."""

import ast
import json
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator, operator_names

# Of the tool's operators those that tell something: an operator has neighbours, and what no neighbour finds no other does.
TELLING = re.compile(
    r"core/(AddNot|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceBreakWithContinue"
    r"|ReplaceContinueWithBreak|ExceptionReplacer|NumberReplacer|RemoveDecorator|ZeroIterationForLoop"
    r"|ReplaceUnaryOperator_Delete_Not|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|FloorDiv_Mul|BitOr_BitAnd|BitAnd_BitOr)"
    r"|ReplaceComparisonOperator_(Eq_(NotEq|GtE|LtE)|NotEq_(Eq|Gt|Lt)|Lt_(LtE|GtE)|LtE_(Lt|Gt)|Gt_(GtE|LtE)|GtE_(Gt|Lt)"
    r"|Is_IsNot|IsNot_Is))"
)


class _Unannotated(ast.NodeTransformer):
    """Leaves out what the interpreter does not act on, annotations, and how arguments may be given."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        self.generic_visit(node)
        node.args = node.posonlyargs + node.args + node.kwonlyargs
        node.defaults = node.defaults + [default for default in node.kw_defaults if default]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


def acts(source: str) -> str | None:
    """What a module does, without its annotations; None where it is no Python."""
    try:
        return ast.dump(_Unannotated().visit(ast.parse(source)))
    except SyntaxError:
        return None


def alike(one: list[str], other: list[str]) -> int:
    """How many lines two texts have in common at their beginning."""
    return next((number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def changed(before: str, after: str) -> tuple[str, str]:
    """The lines that a mutation takes away and those that it puts there, with the line that follows where none are put."""
    old, new = before.splitlines(), after.splitlines()
    head = alike(old, new)
    old, new = old[head:], new[head:]
    tail = alike(old[::-1], new[::-1])
    gone, come = old[: len(old) - tail], new[: len(new) - tail]
    if not "".join(come).strip():
        following = old[len(gone) : len(gone) + 1]
        gone, come = gone + following, come + following
    was, becomes = ("\n".join(filter(None, map(str.strip, lines))) for lines in (gone, come))
    return was, becomes


def mutants_of(root: Path, module: str) -> Iterator[dict[str, Any]]:
    """Give each mutant of a module: where it is, what it was and is, and the whole source."""
    source = (root / module).read_text(encoding="utf-8")
    unchanged, tree = acts(source), get_ast(source)
    pickled = pickle.dumps(tree)  # which is back five times as fast as the source is read again
    for name in filter(TELLING.fullmatch, sorted(operator_names())):
        operator = get_operator(name)()
        places = [node for node in ast_nodes(tree) for _ in operator.mutation_positions(node)]
        for occurrence, node in enumerate(places):
            mutated = MutationVisitor(occurrence, operator).walk(pickle.loads(pickled)).get_code()
            if acts(mutated) in (None, unchanged):
                continue
            was, becomes = changed(source, mutated)
            definition = ASTQuery(node).get_definition_name() or ""
            yield {"module": module, "in": definition, "was": was, "becomes": becomes, "source": mutated}


if __name__ == "__main__":
    for path in sys.argv[2:]:
        for mutant in mutants_of(Path(sys.argv[1]), path):
            print(json.dumps(mutant))
