"""A page as its reader sees it: a small tree of elements, and the tables and figures in it."""

import json
from html.parser import HTMLParser
from typing import Any

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
UNSEEN = "visually-hidden"


class Node:
    """An element with its children, elements and texts."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Node | str] = []

    def __iter__(self):
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child

    def find(self, tag: str = "", **attributes: str | None) -> list["Node"]:
        """Elements below by tag and attributes; `data_x` for data-x, None for whatever value."""
        wanted = {name.replace("_", "-").strip("-"): value for name, value in attributes.items()}
        return [
            node
            for node in self
            if (not tag or node.tag == tag)
            and all(
                name in node.attributes and (value is None or node.attributes[name] == value)
                for name, value in wanted.items()
            )
        ]

    @property
    def text(self) -> str:
        parts = [
            child if isinstance(child, str) else "" if child.tag == "title" else child.text for child in self.children
        ]
        return " ".join("".join(parts).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        for place in range(len(self.open) - 1, 0, -1):
            if self.open[place].tag == tag:
                del self.open[place:]
                break

    def handle_data(self, data):
        self.open[-1].children.append(data)


class Page:
    """One page: its figures by name, its tables and charts by theirs."""

    def __init__(self, body: str) -> None:
        reader = _Reader()
        reader.feed(body)
        self.root = reader.root

    def figure(self, name: str) -> str:
        """The text of a figure; every place that shows it must agree."""
        found = {node.text for node in self.root.find(data_figure=name)}
        assert len(found) == 1, f"{name}: {found}"
        return found.pop()

    def figures(self) -> set[str]:
        return {node.attributes["data-figure"] for node in self.root.find(data_figure=None)}

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of a table by column, or none where the table is not there. Notes in cells are left out."""
        found = self.root.find("table", data_table=name)
        if not found:
            return []
        heads = [node.attributes["data-col"] for node in found[0].find("thead")[0].find("th")]
        return [self._row(row, heads) for row in found[0].find("tbody")[0].find("tr")]

    def foot(self, name: str) -> dict[str, str]:
        table = self.root.find("table", data_table=name)[0]
        heads = [node.attributes["data-col"] for node in table.find("thead")[0].find("th")]
        return self._row(table.find("tfoot")[0].find("tr")[0], heads)

    @staticmethod
    def _row(row: Node, heads: list[str]) -> dict[str, str]:
        cells = [cell for cell in row.children if isinstance(cell, Node) and cell.tag in {"td", "th"}]
        assert len(cells) == len(heads)
        shown = {}
        for head, cell in zip(heads, cells, strict=True):
            cell.children = [
                child
                for child in cell.children
                if isinstance(child, str) or child.attributes.get("class") not in {"cell-note", "badge bg-orange-lt"}
            ]
            shown[head] = cell.text
        return shown

    def links(self, name: str) -> list[dict[str, str]]:
        """The addresses in the rows of a table, by column."""
        table = self.root.find("table", data_table=name)[0]
        heads = [node.attributes["data-col"] for node in table.find("thead")[0].find("th")]
        rows = []
        for row in table.find("tbody")[0].find("tr"):
            cells = [cell for cell in row.children if isinstance(cell, Node)]
            rows.append(
                {
                    head: links[0].attributes["href"]
                    for head, cell in zip(heads, cells, strict=True)
                    if (links := cell.find("a"))
                }
            )
        return rows

    def chart(self, name: str) -> dict[str, Any]:
        """The data a chart is drawn from."""
        (script,) = self.root.find("script", id=name)
        return json.loads("".join(child for child in script.children if isinstance(child, str)))

    def chart_table(self, name: str) -> list[list[str]]:
        """The rows of the table below a chart."""
        (figure,) = self.root.find("figure", data_chart_name=name)
        rows = figure.find("tbody")[0].find("tr")
        return [[cell.text for cell in row if cell.tag in {"td", "th"}] for row in rows]

    def chart_csv(self, name: str) -> str:
        (figure,) = self.root.find("figure", data_chart_name=name)
        return next(link.attributes["href"] for link in figure.find("a", class_="chart-csv"))
