"""The metrics page: samples of many sources become one text in the format the scraper asked for.

The only package that knows prometheus_client. It decides nothing about KubeVirt, opens no socket and reads no clock.
"""
