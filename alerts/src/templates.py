"""Pieces of annotations: templates that ask Prometheus for more when an alert fires, so that its text names names."""

from typing import Final

from alerts.src.promql import worst

NAME: Final = "{{ with .Labels.namespace }}{{ . }}/{{ end }}{{ .Labels.name }}"


def listed(intro: str, expression: str, each: str, *values: str, end: str = ".") -> str:
    """`intro` and `each` of what the expression finds, or nothing where it finds nothing.

    Each `%q` of the expression is for one of the values, the last one for the alert's cluster.
    """
    found = f"printf `{expression}` {' '.join([*values, '$labels.cluster'])} | query"
    items = f"{{{{ range $number, $_ := . }}}}{{{{ if $number }}}},{{{{ end }}}} {each}{{{{ end }}}}"
    return f"{{{{ with {found} }}}}{intro}{items}{end}{{{{ end }}}}"


def first(intro: str, family: str, label: str, value: str) -> str:
    """The names of the first few objects in a family with this label."""
    return listed(intro, f"sort(bottomk(5, {worst(family, f'{label}=%q,cluster=%q')}))", NAME, value)


VERSIONS: Final = listed(
    ",", worst("session_info", "cluster=%q"), "from {{ .Labels.from_version }} to {{ .Labels.to_version }}", end=""
)
"""`, from v1.3.0 to v1.4.0`"""
