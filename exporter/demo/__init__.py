"""The demonstration: a simulated cluster, the exporter watching it, and where installed Prometheus and Alertmanager.

    simulator ◄─ HTTP ─ exporter ◄─ HTTP ─ the terminal, a browser, Prometheus ─► Alertmanager
    (in here)           (a process)

`stage` starts and ends everything, `terminal` shows it, `programs` looks after processes. Nothing here is part of the
daemon, and nothing of it survives the end of the command.
"""
