"""Nothing is forgotten: sessions as UpgradeReport objects, restarts that go on, and one writer of two replicas.

`journal` puts together what is written and when (`keeper`), going on with an earlier process's work (`resuming`), who
writes (`election`), the requests (`store`), what an UpgradeReport looks like (`objects`), what a restart needs
(`state`), and the metrics of all these (`source`).
"""
