"""Books of made-up companies: `make_books(spec, today)`."""

from apps.sandbox.books.make import make_books
from apps.sandbox.books.spec import BooksSpec

__all__ = ["BooksSpec", "make_books"]
