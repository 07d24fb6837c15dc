"""``zsad language check``: what an endpoint can do."""

from __future__ import annotations

from typing import Annotated

import typer

from zsad.cli.options import option


def language_check(
    url: Annotated[str, typer.Argument(help="Address of the server, such as http://localhost:8000/v1.", metavar="URL")],
    llm: Annotated[str, option("Name of the model there; the only one by default.", None, "--llm")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for one answer.", min=0.1, max=3600)] = 120.0,
) -> None:
    """Try text, an image, several images, a JSON schema and sound, and say what works.

    The key is taken from ZSAD_API_KEY or OPENAI_API_KEY, and shown nowhere. Exits with 1 where not even text works.

    [bold]Examples[/bold]

      [cyan]zsad language check http://localhost:8000/v1[/cyan]
      [cyan]zsad language check https://api.example.com/v1 --llm some-model[/cyan]
    """
    from zsad.language.check import check
    from zsad.language.endpoint import Endpoint

    endpoint = Endpoint(url, llm, timeout)
    found = list(check(endpoint))
    works = {one.what: one.works for one in found}
    if as_json:
        import json

        rows = [{"what": one.what, "works": one.works, "note": one.note, "seconds": one.seconds} for one in found]
        typer.echo(json.dumps({"endpoint": endpoint.url, "model": endpoint.model, "checks": rows}, indent=2))
    else:
        from zsad.cli.terminal import Terminal, heading, table

        shown = table("asked for", "works", "what it said", title=heading(endpoint.model, endpoint.url), left=3)
        for one in found:
            shown.add_row(one.what, "yes" if one.works else "no", one.note)
        Terminal().print(shown)
    raise typer.Exit(0 if works["text"] else 1)
