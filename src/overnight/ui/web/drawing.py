"""A graph as SVG, for a page that has no script."""

from __future__ import annotations

from html import escape

from overnight.ui.web.task_answers import EdgeView, GraphView, NodeView

COLOURS = {
    "completed": "#2a9a57",
    "failed": "#cf3a40",
    "running": "#2f74cf",
    "interrupted": "#b57a00",
    "held": "#b57a00",
    "pending": "#aab2bf",
    "waiting": "#d5dae2",
    "cancelled": "#868e9c",
}
#: Of a node, and around all of them, in the unit of the nodes' places; nodes that are still a map and no texture.
_WIDE, _HIGH, _PAD, _MOST = 132.0, 30.0, 12.0, 300
#: Characters of a name that fit.
_NAME = 17


def drawing(graph: GraphView) -> str:
    """A section with the graph of a workflow as its newest task has it."""
    title = escape(f"Workflow {graph.name}" + (f", task {graph.task_id}" if graph.task_id else ""))
    if len(graph.nodes) > _MOST:
        counts = [f"{n:,} {state}" for state in COLOURS if (n := sum(one.state == state for one in graph.nodes))]
        return f"<section><h2>{title}</h2><p>{len(graph.nodes):,} steps: {', '.join(counts)}</p></section>"
    wide, high = graph.width + _WIDE + 2 * _PAD, graph.height + _HIGH + 2 * _PAD
    edges = "".join(_edge(graph, one) for one in graph.edges)
    nodes = "".join(_node(one) for one in graph.nodes)
    return (
        f'<section><h2>{title}</h2><svg viewBox="0 0 {wide:.0f} {high:.0f}" role="img" aria-label="{title}"'
        f' font-size="12" fill="currentColor"><path d="{edges}" fill="none" stroke="#888" opacity="0.6"/>{nodes}</svg>'
        "</section>"
    )


def _edge(graph: GraphView, edge: EdgeView) -> str:
    before, after = graph.nodes[edge.before], graph.nodes[edge.after]
    start = (before.x + (_WIDE if before.kind != "join" else _WIDE / 2), before.y)
    end = (after.x + (0.0 if after.kind != "join" else _WIDE / 2), after.y)
    points = [start, *((x + _WIDE / 2, y) for x, y in edge.points), end]
    return "".join(
        f"{'L' if number else 'M'}{x + _PAD:.0f} {y + _PAD + _HIGH / 2:.0f}" for number, (x, y) in enumerate(points)
    )


def _node(node: NodeView) -> str:
    x, y = node.x + _PAD, node.y + _PAD
    if node.kind == "join":
        return f'<circle cx="{x + _WIDE / 2:.0f}" cy="{y + _HIGH / 2:.0f}" r="3" fill="#888"/>'
    colour = COLOURS.get(node.state, COLOURS["cancelled"])
    name = node.name if len(node.name) <= _NAME else node.name[: _NAME - 1] + "…"
    return (
        f"<g><title>{escape(f'{node.name}: {node.state}' if node.state else node.name)}</title>"
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{_WIDE:.0f}" height="{_HIGH:.0f}" rx="5" fill="{colour}"'
        f' fill-opacity="0.18" stroke="{colour}" stroke-width="1.5"/>'
        f'<text x="{x + 8:.0f}" y="{y + 20:.0f}">{escape(name)}</text></g>'
    )
