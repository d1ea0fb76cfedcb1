"""Makes the rules: recording rules from `slos.yaml`, alerts from `alerts`, plain and as a PrometheusRule.

`python -m alerts.src` writes rules/*.yaml and deploy/prometheusrule.yaml. Nothing here is part of the exporter.
"""
