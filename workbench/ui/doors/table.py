"""Tables."""

from __future__ import annotations

from typing import Literal

from textual import widgets
from textual.widgets.data_table import ColumnKey, RowKey

from workbench.ui.doors.text import Text


class DataTable(widgets.DataTable[Text]):
    """Striped, with a cursor on a row. Its keys are not seen."""

    def __init__(self, *, id: str, cell_padding: Literal[0, 1] = 1) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=True, cell_padding=cell_padding)

    def add_column(self, head: Text, *, key: str) -> ColumnKey:  # type: ignore[override]  # narrower, as all here
        """One more column."""
        return super().add_column(head, key=key)

    def add_row(self, *cells: Text, key: str | None = None) -> RowKey:  # type: ignore[override]
        """One more row; it has no label."""
        return super().add_row(*cells, key=key)
