"""A page that stands alone: no script, no network, nothing beside it. Light, dark, and on paper.

Its own policy forbids all of that, so that a name that should slip through could still do nothing.
"""

from __future__ import annotations

from html import escape

from overnight.ui.cli import printing

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6472;--paper:#fff;--card:#f5f6f8;--line:#dfe3e8;
--good:#2e9e5b;--bad:#d64545;--warn:#c58a10;--run:#3b7dd1;--idle:#c9ced6}
@media(prefers-color-scheme:dark){:root{--ink:#e7eaee;--soft:#9aa4b2;--paper:#14171b;--card:#1d2127;--line:#323843;
--good:#3fb56f;--bad:#ee6a6a;--warn:#dba531;--run:#6aa3ec;--idle:#454c57}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1160px;padding:24px 20px;background:var(--paper);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:22px;line-height:1.3;margin:0 0 4px}h2{font-size:16px;margin:28px 0 8px}
.soft,.card .name{color:var(--soft)}
.banner{background:var(--card);border-left:6px solid var(--run);padding:14px 18px;border-radius:4px}
.banner p{margin:0}.lost,.unwatched,.stalled{border-color:var(--bad)}.needs_you{border-color:var(--warn)}
.done{border-color:var(--good)}
.share{display:flex;height:20px;margin:16px 0 6px;border-radius:3px;overflow:hidden;background:var(--idle)}
.share i{display:block;min-width:3px;border-right:1px solid var(--paper)}
.share .completed{background:var(--good)}.share .failed{background:var(--bad)}.share .held{background:var(--warn)}
.share .cancelled{background:var(--warn)}.share .running{background:var(--run)}
.counts{display:flex;flex-wrap:wrap;gap:4px 22px;margin:0;padding:0;list-style:none}
.counts b{font-size:18px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:12px;margin:18px 0}
.card{background:var(--card);border-radius:4px;padding:10px 12px;break-inside:avoid}
.card .name{font-size:13px}.card .value{font-size:17px;margin:2px 0 4px}
svg{display:block;width:100%}.chart{height:56px}
.chart .line{fill:none;stroke:var(--run);stroke-width:1.4;vector-effect:non-scaling-stroke}
.chart .fill{fill:var(--run);opacity:.16}.chart .span{fill:var(--run);opacity:.22}
.chart.bad .line{stroke:var(--bad)}.chart.bad .fill,.chart.bad .span{fill:var(--bad)}
.columns{width:120px;height:20px;margin:2px 0 4px}.columns path{fill:var(--bad)}
.timeline{background:var(--card);border-radius:4px;padding:10px 12px;height:auto;font-size:11px}
.timeline text{fill:var(--ink)}.timeline .name,.timeline .tick{fill:var(--soft)}
.timeline .good{fill:var(--good)}.timeline .bad{fill:var(--bad)}.timeline .axis{stroke:var(--line);fill:none}
.timeline .while{fill:var(--warn);opacity:.22}.timeline .when{stroke:var(--warn);stroke-width:1.3;fill:none}
.timeline .crash .while{fill:var(--bad)}.timeline .crash .when{stroke:var(--bad)}
.timeline .stopped .while{fill:var(--idle)}.timeline .stopped .when{stroke:var(--soft)}
table{border-collapse:collapse;width:100%}
th{font-weight:500;color:var(--soft);font-size:13px;text-align:left}
td,th{padding:7px 10px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap;width:1%}td.when{white-space:nowrap;min-width:140px}tr{break-inside:avoid}
code{font:12.5px/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
code.line{display:block}
.tag{border:1px solid var(--line);border-radius:9px;padding:0 8px;font-size:12px;white-space:nowrap}
footer{margin-top:30px;color:var(--soft);font-size:13px}
@media(max-width:700px){.wide{display:none}body{padding:14px 12px}.scroll{overflow-x:auto}.timeline{min-width:700px}}
@media screen and (max-width:700px){.causes thead{display:none}
.causes tr{display:block;border-bottom:1px solid var(--line);padding:8px 0}
.causes td{display:block;border:0;padding:2px 0}.causes td.wide{display:none}
.causes td.n{text-align:left;width:auto}.causes td.n::after{content:" tasks"}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--card:#fff;--line:#bbb;
--good:#2e9e5b;--bad:#c03030;--warn:#a87408;--run:#2b64b0;--idle:#ddd}
body{max-width:none;padding:0;font-size:11px}.card,.banner,.timeline{border:1px solid var(--line)}
h2{break-after:avoid}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""


def text(words: str) -> str:
    """Words for a page, between tags or in an attribute in double quotes: nothing in them is markup."""
    return escape(printing.clean(words), quote=True)


def page(title: str, body: str) -> str:
    """A whole page.

    Args:
        title: Its title, as plain text.
        body: Its content, as markup.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )
