"""``grn completions``: the script that teaches a shell to complete ``grn``."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completions(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: eval "$(grn completions bash)"                      in ~/.bashrc
    zsh:  eval "$(grn completions zsh)"                       in ~/.zshrc
    fish: grn completions fish > ~/.config/fish/completions/grn.fish
    """  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from click.shell_completion import get_completion_class

    from grn.cli.main import root

    kind = get_completion_class(shell)
    assert kind is not None  # the three shells are click's own
    script = kind(root, {}, "grn", "_GRN_COMPLETE")
    # What source() does, without its run of bash that warns of versions before 4.4.
    click.echo((script.source_template % script.source_vars()).strip())
