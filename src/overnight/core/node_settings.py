"""The settings of work on other machines."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.setting import Setting

#: Where attempts run: on this machine, or on the nodes of a cluster of Ray.
HERE, RAY = "here", "ray"

NODE_SETTINGS = (
    Setting(
        name="on",
        kind=kinds.choice(HERE, RAY),
        default=HERE,
        help="Where attempts run: on this machine, or on the nodes of a cluster of Ray.",
        flag="--on",
        environment="OVERNIGHT_ON",
        key="nodes.on",
    ),
    Setting(
        name="ray_address",
        kind=kinds.WORD,
        default="auto",
        help="Where the cluster of Ray is, as HOST:PORT; auto finds the one of which this machine is a node.",
        flag="--ray-address",
        environment="OVERNIGHT_RAY_ADDRESS",
        key="nodes.ray_address",
    ),
    Setting(
        name="ship",
        kind=kinds.SWITCH,
        default=False,
        help="Send the file that an input names to its node, and what is written beside it back.",
        flag="--ship",
        environment="OVERNIGHT_SHIP",
        key="nodes.ship",
    ),
    Setting(
        name="node_lease",
        kind=kinds.DURATION,
        default=15.0,
        help="How long a node goes on without word; a second later its tasks begin elsewhere.",
        environment="OVERNIGHT_NODE_LEASE",
        key="nodes.lease",
        minimum=1.0,
        maximum=3600.0,
    ),
)
