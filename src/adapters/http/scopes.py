"""What kinds of connections there are to an ASGI application."""

from typing import Final

from litestar.enums import ScopeType

HTTP: Final = ScopeType.HTTP
"""At hand, because Python 3.11 looks an enumeration's member up the long way: four times a request, for a hundredth."""
