"""Those who run attempts. One contract, and by hand the list of what fulfils it."""

#: Where each executor lives. What Ray has is a way to reach agents (`nodes.carrier`), and no executor of its own.
EXECUTORS = {
    "local": "overnight.executors.local:LocalExecutor",
    "nodes": "overnight.executors.nodes.executor:NodesExecutor",
    "ray": "overnight.executors.ray.carrier:RayCarrier",
}
