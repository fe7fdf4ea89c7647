"""The templates: one environment for pages and fragments, and the filters that write numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app import __version__
from app.web.assets import static_url
from app.web.contexts import words

_APP: Final = Path(__file__).parents[1]
TEMPLATES: Final = next(
    (folder for folder in (_APP / "bundled" / "templates", _APP.parent / "templates") if folder.is_dir()), _APP / "templates"
)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,  # a name that is missing is an error in a test, never an empty place on a page
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"static": static_url, "version": __version__}
    environment.filters |= {
        "slug": words.slug,
        "number": words.number,
        "moment": words.moment,
        "plural": words.plural,
    }
    return environment


ENVIRONMENT: Final = _environment()


def render(template: str, context: Mapping[str, Any]) -> Markup:
    """Render a template with a context; raises when the template names what is not there."""
    return Markup(ENVIRONMENT.get_template(template).render(context))  # noqa: S704 the environment escapes by itself


def page(request: Request, name: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Answer with the page `pages/<name>.html`; `here` tells the navigation where it is."""
    whole = {"here": request.url.path, "feed": None, **context}
    return HTMLResponse(render(f"pages/{name}.html", whole), status)


def error_page(title: str, detail: str, status: int) -> str:
    """Give the page that tells a person what went wrong and what to do next."""
    context = {"here": "", "feed": None, "title": title, "detail": detail, "status": status, "cure": CURES.get(status, "")}
    return render("pages/error.html", context)


CURES: Final = {
    400: "Go back, look at what was sent, and try again.",
    401: "Sign in with the token this server was started with.",
    403: "Open Sightline by its own address and try again from there.",
    404: "It may have been deleted. The history lists every job that is still kept.",
    409: "The job has moved on meanwhile; its page shows where it stands now.",
    413: "Send a smaller file, or have the limit raised.",
    429: "Wait until some jobs are done, or cancel one that is not needed.",
    500: "Try again. If it happens again, the server's log says more.",
    503: "Try again in a moment; the devices page and the server's log say more.",
}
