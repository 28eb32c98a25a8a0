from __future__ import annotations

from grn.llm.library.bibliography import Paper, Work, match_papers, read_bibliography
from tests.llm.library.papers import BIB


def test_entries_are_read() -> None:
    """Braces go, numbers lose their addresses; of equal keys the first counts, a broken one ends nothing."""
    assert read_bibliography(BIB) == [
        Work("lo2002", "The Statistics of Sharpe Ratios", doi="10.2469/faj.v58.n4.2453"),
        Work("bailey2014", "The Deflated Sharpe Ratio", doi="10.3905/jpm.2014.40.5.094"),
        Work("crash2021", "Momentum crashes", arxiv="2104.00001"),
        Work("named", "Any title at all", files=("from zotero.pdf",)),
    ]
    assert read_bibliography("no BibTeX at all @ {") == []
    (accents,) = read_bibliography(r'@book{a, title = "{\"U}ber {\'e}l\`{a} $\alpha$"}')
    assert accents.title.startswith("Über élà")


def test_papers_are_matched() -> None:
    """By file, key, DOI, arXiv number or title, in this order; what fits no entry or two has no key."""
    works = read_bibliography(BIB)
    papers = {
        "/p/from zotero.pdf": ("nothing to go by", "named"),
        "/p/Bailey-2014.pdf": ("", "bailey2014"),
        "/p/a.pdf": ("doi:10.2469/FAJ.v58.n4.2453.\nother text", "lo2002"),
        "/p/10.3905_jpm.2014.40.5.094.pdf": ("", "bailey2014"),
        "/p/2104.00001v2.pdf": ("", "crash2021"),
        "/p/b.pdf": ("arXiv:2104.00001v3 [q-fin.PM]", "crash2021"),
        "/p/c.pdf": ("THE STATISTICS OF\nSHARPE RATIOS\nAndrew W. Lo", "lo2002"),
        "/p/d.pdf": ("It cites The Statistics of Sharpe Ratios" + " further" * 200, "lo2002"),
        "/p/e.pdf": ("words " * 200 + "The Deflated Sharpe Ratio", None),
        "/p/2105.12345.pdf": ("", None),
    }
    found = match_papers([Paper(path, head) for path, (head, _) in papers.items()], works)
    assert {path: found[path].key if path in found else None for path in papers} == {
        path: key for path, (_, key) in papers.items()
    }
    twice = [Work("a", "One title for both"), Work("b", "One title for both")]
    assert match_papers([Paper("/x.pdf", "One title for both")], twice) == {}
