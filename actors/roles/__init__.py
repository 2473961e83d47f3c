"""The actors of a mob. Thin: messages in, decisions from `actors.domain`, messages out.

| Actor | Loop | Owns |
|---|---|---|
| `Forwarder` | system | the ledger's one writer, the head that followers wait for |
| `OpsRegistry` | system | the operation of every member |
| `Router` | member | who may talk to whom, and where everybody is |
| `EdgeReconciler` | system | changes of edges: commit, then effect |
| `Supervisor` | system | definition and roster; spawns, retires, reconciles, drains |
| `Member` | member | its inbox and its turns |
"""
