"""The local cluster: real servers, a load balancer and every role of the chat as a process of its own.

`servers.py` describes the servers and `roles.py` the chat's processes, each once; the launcher, compose.yaml and the
fixtures of the tests are made from them. What the local servers cannot show: docs/parity.md.
"""
