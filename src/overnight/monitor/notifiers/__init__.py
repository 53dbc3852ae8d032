"""Ways to reach somebody: the contract, one file for each, and the list of them."""

from __future__ import annotations

#: By the key that says where to in ``[targets.NAME]``: the module and the class. Imported when it is used.
NOTIFIERS = {
    "command": "overnight.monitor.notifiers.command:Command",
    "webhook": "overnight.monitor.notifiers.webhook:Webhook",
    "mail": "overnight.monitor.notifiers.mail:Mail",
    "syslog": "overnight.monitor.notifiers.syslog:Syslog",
    "apprise": "overnight.monitor.notifiers.apprise:Apprise",
}
