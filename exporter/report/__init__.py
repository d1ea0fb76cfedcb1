"""From a report to its SLOs, verdict, findings and other forms. Pure."""
