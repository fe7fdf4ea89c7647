"""Reads pages in tests: elements by id and tag, as a browser without scripts would see them."""

from html.parser import HTMLParser

VOID = {"img", "input", "link", "meta", "br", "hr"}


class Element:
    """An element with its attributes and the text inside it."""

    def __init__(self, tag: str, attributes: dict[str, str | None], parent: "Element | None") -> None:
        self.tag, self.attributes, self.parent, self.pieces = tag, attributes, parent, []

    @property
    def text(self) -> str:
        """Give the words inside, with single spaces."""
        return " ".join("".join(self.pieces).split())

    def __contains__(self, attribute: str) -> bool:
        return attribute in self.attributes

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute] or ""

    def within(self, identifier: str) -> bool:
        """Say whether an ancestor has this id."""
        element = self.parent
        while element is not None and element.attributes.get("id") != identifier:
            element = element.parent
        return element is not None


class Page(HTMLParser):
    """A parsed page: `page["job-status"].text`, `page.all("g")`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.by_id = {element["id"]: element for element in self.elements if "id" in element}

    def __getitem__(self, identifier: str) -> Element:
        assert identifier in self.by_id, f"no element has the id {identifier!r}; there are {sorted(self.by_id)}"
        return self.by_id[identifier]

    def ids(self) -> list[str]:
        """Every id, as often as it stands there."""
        return [element["id"] for element in self.elements if "id" in element]

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Every element of a tag with these attributes."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [e for e in self.elements if e.tag == tag and all(e.attributes.get(k) == v for k, v in wanted.items())]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element; its words are parted from those before it."""
        self.handle_data(" ")
        element = Element(tag, dict(attrs), self._open[-1] if self._open else None)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open and close an element."""
        self.elements.append(Element(tag, dict(attrs), self._open[-1] if self._open else None))

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Give words to every open element."""
        for element in self._open:
            element.pieces.append(data)
