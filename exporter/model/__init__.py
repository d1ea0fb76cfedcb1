"""What everything else talks about: typed objects, changes, versions, metric families, the report. No I/O, no clock."""
