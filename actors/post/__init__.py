"""The post office of a system: mail between its actors and those of other nodes.

- `office`: what a system has: keys, listeners, peers; fills the kernel's `Wire` port.
- `branch`: one channel (`control` or `data`) on its loop: an endpoint, and a line to each peer.
- `line`: one peer on one channel: link, session, what waits, what was asked.
- `outward`: what a ref of a remote actor holds; messages become envelopes.
- `inward`: envelopes become messages in mailboxes, answers go back.
- `faults`: errors as data, and back.
"""
