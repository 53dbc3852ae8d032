"""Those who run attempts. One contract, and by hand the list of what fulfils it."""

#: Where each executor lives.
EXECUTORS = {
    "local": "overnight.executors.local:LocalExecutor",
    "nodes": "overnight.executors.nodes.executor:NodesExecutor",
}
