"""Find a fragment of source by its syntax and replace it: reformatting and renaming its neighbours does not matter.

The frontend's fragments are found as text.
"""

import ast
import difflib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from attrs import frozen

SOURCES: Final = Path(__file__).parents[2] / "src"
PAGES: Final = Path(__file__).parents[2] / "frontend"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SUGGESTIONS: Final = 3


class PlaceError(Exception):
    """A place is not there exactly once; the message says what is closest to it."""


@frozen
class Place:
    """A fragment in a function, a class or a whole module.

    The fragment is an expression, a statement, a keyword argument (`name=value`), or a string that some string
    constant contains. It is compared as a syntax tree, so that white space, quotes and comments do not matter.
    """

    scope: str
    """`file.py` or `file.py::Class.method`, below src."""
    fragment: str

    @property
    def file(self) -> str:
        """The file, below src."""
        return self.scope.partition("::")[0]

    def replaced(self, replacement: str, sources: Path = SOURCES) -> str:
        """The module's source with the fragment replaced.

        Raises:
            PlaceError: the fragment is not there exactly once.
        """
        module = _parse(sources / self.file, self.scope)
        found = [*_matches(self._scope_in(module), self.fragment)]
        if len(found) != 1:
            raise PlaceError(f"{self.scope} has {self.fragment!r} {len(found)} times; {self._closest(module, sources)}")
        found[0](replacement)
        return ast.unparse(ast.fix_missing_locations(module))

    def _scope_in(self, module: ast.Module) -> ast.AST:
        _, _, name = self.scope.partition("::")
        if not name:
            return module
        scopes = _scopes(module)
        if name not in scopes:
            near = difflib.get_close_matches(name, scopes, _SUGGESTIONS, 0.4)
            elsewhere = [one for one, node in scopes.items() if _has(node, self.fragment)]
            raise PlaceError(
                f"{self.file} has no {name}; closest names: {near}; {self.fragment!r} is in {elsewhere or 'none'}"
            )
        return scopes[name]

    def _closest(self, module: ast.Module, sources: Path) -> str:
        scope = self._scope_in(module)
        texts = {ast.unparse(node) for node in ast.walk(scope) if isinstance(node, ast.expr | ast.stmt | ast.keyword)}
        near = difflib.get_close_matches(self.fragment, texts, _SUGGESTIONS, 0.3)
        elsewhere = [
            f"{path.relative_to(sources)}::{name}"
            for path in sorted(sources.rglob("*.py"))
            for name, node in _scopes(ast.parse(path.read_text())).items()
            if _has(node, self.fragment)
        ]
        return f"closest there: {near}; the same fragment is in {elsewhere or 'no function of src'}"


@frozen
class TextPlace:
    """A fragment of a file of the frontend, as it is written there."""

    file: str
    """The file, below frontend."""
    fragment: str

    def replaced(self, replacement: str, sources: Path = PAGES) -> str:
        """The file's text with the fragment replaced.

        Raises:
            PlaceError: the fragment is not there exactly once.
        """
        text = (sources / self.file).read_text()
        if text.count(self.fragment) != 1:
            raise PlaceError(f"frontend/{self.file} has {self.fragment!r} {text.count(self.fragment)} times")
        return text.replace(self.fragment, replacement)


def _parse(file: Path, scope: str) -> ast.Module:
    if not file.exists():
        near = difflib.get_close_matches(file.name, [path.name for path in SOURCES.rglob("*.py")], _SUGGESTIONS, 0.4)
        raise PlaceError(f"{scope}: there is no such file; closest names: {near}")
    return ast.parse(file.read_text())


def _scopes(module: ast.Module) -> dict[str, ast.AST]:
    """Every function and class by its qualified name."""
    found: dict[str, ast.AST] = {}

    def collect(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _FUNCTIONS):
                found[prefix + child.name] = child
                collect(child, f"{prefix}{child.name}.")
            else:
                collect(child, prefix)

    collect(module, "")
    return found


def _has(scope: ast.AST, fragment: str) -> bool:
    return not isinstance(scope, ast.ClassDef) and any(_matches(scope, fragment))


Replace = Callable[[str], None]


def _matches(scope: ast.AST, fragment: str) -> Iterator[Replace]:
    """A function for each match that puts a replacement in its place."""
    (statement,) = ast.parse(fragment).body
    wanted = {ast.dump(statement)}
    match statement:
        case ast.Expr(ast.Constant(str(text))):
            yield from _strings(scope, text)
            return
        case ast.Expr(expression):
            wanted = {ast.dump(expression)}
        case ast.Assign([ast.Name(name)], value):
            wanted.add(ast.dump(ast.keyword(name, value)))
    for parent in ast.walk(scope):
        for field, value in ast.iter_fields(parent):
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST) and ast.dump(child) in wanted:
                    yield partial(_replace_node, parent, field, index, child)


def _strings(scope: ast.AST, text: str) -> Iterator[Replace]:
    """The string constants that contain the text once; docstrings do not count."""
    docstrings = {id(node.value) for node in ast.walk(scope) if isinstance(node, ast.Expr)}
    for node in ast.walk(scope):
        match node:
            case ast.Constant(str(whole)) if whole.count(text) == 1 and id(node) not in docstrings:
                yield partial(_replace_text, node, whole, text)


def _replace_text(node: ast.Constant, whole: str, text: str, replacement: str) -> None:
    node.value = whole.replace(text, ast.literal_eval(replacement))


def _replace_node(parent: ast.AST, field: str, index: int, child: ast.AST, replacement: str) -> None:
    new: list[ast.AST] = [*ast.parse(replacement).body]
    match child, new:
        case ast.keyword(), [ast.Assign([ast.Name(name)], value)]:
            new = [ast.keyword(name, value)]
        case ast.expr(), [ast.Expr(value)]:
            new = [value]
    siblings = getattr(parent, field)
    if isinstance(siblings, list):
        siblings[index : index + 1] = new
    else:
        (only,) = new
        setattr(parent, field, only)
